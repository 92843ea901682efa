# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for barbwirectl(1). Needs nothing of the package bash-completion but that it loads this file.

__barbwirectl_ask() {
        command barbwirectl "$@" --json=short 2>/dev/null
}

# Only from a daemon that is running: completing a word must not start one.
__barbwirectl_running() {
        [[ -L /run/systemd/units/invocation:barbwire.service || " ${COMP_WORDS[*]} " == *" --socket"* ]]
}

# The --socket= that is on the line already. bash makes three words of it.
__barbwirectl_socket() {
        local i

        for ((i = 1; i + 2 < ${#COMP_WORDS[@]}; i++)); do
                if [[ ${COMP_WORDS[i]} == --socket && ${COMP_WORDS[i + 1]} == = ]]; then
                        printf '%s\n' "--socket=${COMP_WORDS[i + 2]}"
                fi
        done
}

__barbwirectl_classes() {
        __barbwirectl_running || return
        # Of the first array. compgen expands what it is given: nothing but names may come out of this.
        __barbwirectl_ask $(__barbwirectl_socket) rules | sed 's/"allows":.*//' |
                grep -o '"name":"[A-Za-z0-9][A-Za-z0-9_.-]*"' | cut -d '"' -f 4
}

__barbwirectl_ids() {
        __barbwirectl_running || return
        __barbwirectl_ask $(__barbwirectl_socket) alerts -n 50 |
                sed -n 's/.*"id":"[0-9a-f]*-\([0-9a-f-]*\)".*/\1/p'
}

_barbwirectl() {
        local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command= word
        local commands='status alerts show follow rules explain suggest selftest'
        local common='--help --version --socket= --json= --no-pager --utc'
        local filters='--lines= --since= --until= --severity= --class= --pid= --uid= --unit= --reverse'
        local test='--alarm'
        local act='--exe= --script= --unit= --user= --ancestor= --to= --policy-dir='

        COMPREPLY=()
        # "--json=short" is three words: --json, =, short.
        if [[ $current == = ]]; then
                current=
        elif [[ $previous == = ]]; then
                previous=${COMP_WORDS[COMP_CWORD - 2]}
        fi
        for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
                [[ " $commands " == *" $word "* ]] && command=$word
        done

        case $previous in
        --json)
                COMPREPLY=($(compgen -W 'off short pretty' -- "$current"))
                ;;
        --severity | -p)
                COMPREPLY=($(compgen -W 'low medium high' -- "$current"))
                ;;
        --class)
                COMPREPLY=($(compgen -W "$(__barbwirectl_classes)" -- "$current"))
                ;;
        --uid | --user)
                COMPREPLY=($(compgen -u -- "$current"))
                ;;
        --since | --until | -S | -U)
                COMPREPLY=($(compgen -W 'now today yesterday' -- "$current"))
                ;;
        --socket | --exe | --script | --ancestor | --policy-dir)
                COMPREPLY=($(compgen -f -- "$current"))
                ;;
        --lines | -n | --pid | --unit | --to) ;;
        *)
                if [[ $current == -* ]]; then
                        [[ -n $command && $command != alerts ]] && filters=
                        [[ -n $command && $command != explain ]] && act=
                        [[ -n $command && $command != selftest ]] && test=
                        COMPREPLY=($(compgen -W "$common $filters $act $test" -- "$current"))
                        [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace 2>/dev/null
                elif [[ $command == explain ]]; then
                        COMPREPLY=($(compgen -f -- "$current"))
                elif [[ $command == show || $command == suggest ]]; then
                        COMPREPLY=($(compgen -W "$(__barbwirectl_ids)" -- "$current"))
                elif [[ -z $command ]]; then
                        COMPREPLY=($(compgen -W "$commands" -- "$current"))
                fi
                ;;
        esac
        return 0
}

complete -F _barbwirectl barbwirectl
