/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The default policy (daemon/policy.d below $BW_SOURCE_ROOT or argv[1]), compiled. Include cmocka.h first.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "basic/util.h"
#include "policy/compile.h"
#include "policy/load.h"

static const char *source_root;
static Policy *policy;
static PolicyTables *tables;
static PolicyNames names;

static inline void default_policy_compile(void) {
        PolicyMessage message = {};

        tables = policy_tables_free(tables);
        policy_names_done(&names);
        names = (PolicyNames){};
        int r = policy_compile(policy, &names, POLICY_CELLS_MAX, &tables, &message);
        if (r < 0)
                fail_msg("%d: %s", r, message.text ?: "-");
}

/* passwd: the users, as in passwd(5). */
static inline void default_policy_load(const char *passwd) {
        char dir[4096], name[] = "/tmp/test-default-policy-XXXXXX";
        char *dirs[] = { dir, NULL };

        (void)snprintf(dir, sizeof(dir), "%s/daemon/policy.d", source_root);
        _cleanup_close_ int fd = mkstemp(name);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, passwd, strlen(passwd)), strlen(passwd));
        int r = policy_load("/dev/null", dirs, name, &policy);
        assert_int_equal(unlink(name), 0);
        assert_int_equal(r, 0);
        default_policy_compile();
}

static inline void default_policy_done(void) {
        tables = policy_tables_free(tables);
        policy_names_done(&names);
        policy = policy_free(policy);
}

/* Whether it is known where the policy is; otherwise says that the tests are skipped. */
static inline bool default_policy_found(int argc, char **argv) {
        source_root = argc > 1 ? argv[1] : getenv("BW_SOURCE_ROOT");
        if (!source_root)
                puts("1..0 # SKIP neither BW_SOURCE_ROOT nor an argument says where daemon/policy.d is");
        return source_root;
}
