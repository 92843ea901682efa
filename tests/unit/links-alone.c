/* SPDX-License-Identifier: GPL-2.0-or-later */

/* A library that is linked as a whole, with nothing but the dependencies that it names: what it needs beyond
 * them is an undefined symbol, and the build fails. */

int main(void) {
        return 0;
}
