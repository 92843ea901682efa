/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "alert/alert.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "fallback.h"
#include "policy/compile.h"

void fallback_consider(Trial *t, Sensor *s, const Event *e, const PolicyStore *policies,
                void (*report)(const StateAlert *a, void *userdata), void *userdata) {
        const EventCorrelation *c = &e->correlation;
        SensorTrial trial;

        if (!action_refused(c->action) || c->generation != policies->generation)
                return;
        trial = sensor_trial(s);
        if (time_now_usec(CLOCK_MONOTONIC) >= trial.until_usec)
                return;
        uint64_t fallen = trial_count(t, trial.policy, c, c->fresh & trial.enforced & ~trial.fallen);
        if (!fallen)
                return;
        sensor_fall_back(s, fallen);
        for (unsigned bit = 0; bit < BW_CLASSES_MAX; bit++) {
                const PolicyClass *class = fallen >> bit & 1 ? policy_class_by_bit(policies->policy,
                                                                               &policies->names, bit)
                                                             : NULL;
                if (!class)
                        continue;
                char *services[TRIAL_SERVICES + 1] = {};

                for (size_t i = 0; i < TRIAL_SERVICES; i++)
                        services[i] = t->services[bit][i];
                const StateAlert a = {
                        .kind = STATE_FALLBACK,
                        .realtime_usec = time_now_usec(CLOCK_REALTIME),
                        .class = class->name,
                        .programs = services,
                };
                log_warning("Class %s has fallen back to dry-run.", class->name);
                report(&a, userdata);
        }
}
