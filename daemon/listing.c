/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>

#include "alert/mark.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "listing.h"

/* A result is given to all who ask within this time: listing a full table takes tenths of a second. */
#define LISTING_AGE_USEC USEC_PER_SEC

/* A listing that takes longer is given as it is: the sink is blocked, or alerts fill the ring. A client
 * waits 45 s. */
#define LISTING_MAX_USEC (10 * USEC_PER_SEC)

/* The memory of a result is freed after this, if nobody asks again. Reading it takes below a second. */
#define LISTING_KEEP_USEC (30 * USEC_PER_SEC)

/* The accuracy of the two: no harm is done by a tenth of a second. */
#define LISTING_ACCURACY_USEC (USEC_PER_SEC / 10)

/* Below that of the ring and of clients: a source that is always ready would keep others of its priority
 * from their turn. While the ring has records, its reader takes the steps. */
#define STEP_PRIORITY (SD_EVENT_PRIORITY_NORMAL + 1)

struct Listing {
        Sensor *sensor;
        void (*on_done)(void *userdata);
        void *userdata;
        MarkList *list; /* the latest; NULL: none is kept */
        uint64_t number, done_usec;
        uint32_t kernel_number; /* of the listing that is being made */
        bool blocked;
        sd_event_source *step, *timer;
};

static bool listing_is_on(const Listing *l) {
        return l->list && !l->list->done;
}

static void listing_arm(Listing *l) {
        bool wanted = listing_is_on(l) && !l->blocked;

        (void)sd_event_source_set_enabled(l->step, wanted ? SD_EVENT_ON : SD_EVENT_OFF);
}

static void listing_arm_timer(Listing *l, uint64_t usec) {
        (void)sd_event_source_set_time_relative(l->timer, usec);
        (void)sd_event_source_set_enabled(l->timer, SD_EVENT_ONESHOT);
}

static void listing_end(Listing *l, bool complete) {
        uint64_t missed = sensor_list_end(l->sensor);

        l->list->complete = l->list->complete && complete && missed == 0;
        l->list->done = true;
        l->done_usec = time_now_usec(CLOCK_MONOTONIC);
        log_debug("Listed %zu marks and %zu accounts%s.", l->list->of[MARK_LIST_MARKS].n,
                        l->list->of[MARK_LIST_ACCOUNTS].n, l->list->complete ? "" : ", incompletely");
        listing_arm(l);
        listing_arm_timer(l, LISTING_KEEP_USEC);
        l->on_done(l->userdata);
}

void listing_step(Listing *l) {
        if (listing_is_on(l) && !l->blocked && sensor_list_step(l->sensor))
                listing_end(l, true);
}

static int on_step(sd_event_source *source, void *userdata) {
        (void)source;
        listing_step(userdata);
        return 0;
}

static int on_listing_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Listing *l = userdata;

        (void)source;
        (void)usec;
        if (listing_is_on(l)) {
                listing_end(l, false);
                return 0;
        }
        l->list = mark_list_free(l->list);
        (void)malloc_trim(0); /* some megabytes, which the C library would keep */
        return 0;
}

int listing_new(sd_event *event, Sensor *sensor, void (*on_done)(void *userdata), void *userdata,
                Listing **ret) {
        _cleanup_(listing_freep) Listing *l = calloc(1, sizeof(*l));

        if (!l)
                return -ENOMEM;
        l->sensor = sensor;
        l->on_done = on_done;
        l->userdata = userdata;
        int r = sd_event_add_defer(event, &l->step, on_step, l);
        if (r >= 0)
                r = sd_event_source_set_priority(l->step, STEP_PRIORITY);
        if (r >= 0)
                r = sd_event_source_set_enabled(l->step, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &l->timer, CLOCK_MONOTONIC, LISTING_KEEP_USEC,
                                LISTING_ACCURACY_USEC, on_listing_timer, l);
        if (r >= 0)
                r = sd_event_source_set_enabled(l->timer, SD_EVENT_OFF);
        if (r >= 0)
                *ret = STEAL_PTR(l);
        return r;
}

Listing *listing_free(Listing *l) {
        if (!l)
                return NULL;
        if (listing_is_on(l))
                (void)sensor_list_end(l->sensor);
        sd_event_source_disable_unref(l->step);
        sd_event_source_disable_unref(l->timer);
        mark_list_free(l->list);
        free(l);
        return NULL;
}

uint64_t listing_begin(Listing *l) {
        if (listing_is_on(l))
                return l->number;
        if (l->list && time_now_usec(CLOCK_MONOTONIC) - l->done_usec < LISTING_AGE_USEC)
                return l->number;

        MarkList *list = mark_list_new(l->number + 1, time_now_usec(CLOCK_REALTIME));
        if (!list)
                return 0;
        mark_list_free(l->list);
        l->list = list;
        l->number++;
        l->kernel_number = sensor_list_begin(l->sensor);
        listing_arm(l);
        listing_arm_timer(l, LISTING_MAX_USEC);
        return l->number;
}

const MarkList *listing_get(const Listing *l, uint64_t number) {
        return l->list && l->number == number ? l->list : NULL;
}

void listing_add(Listing *l, const Event *e, const Policy *p, const PolicyNames *names,
                const AlertEpoch *epoch) {
        bool is_mark = e->kind == BW_KIND_MARK;
        char *line = NULL;

        if (!listing_is_on(l) || (is_mark ? e->mark.number : e->account.number) != l->kernel_number)
                return;
        int r = is_mark ? mark_to_json(e, p, names, epoch, &line) : account_to_json(&e->account, &line);
        if (r < 0)
                l->list->complete = false;
        else
                mark_list_add(l->list, is_mark ? MARK_LIST_MARKS : MARK_LIST_ACCOUNTS, line);
}

void listing_block(Listing *l, bool blocked) {
        l->blocked = blocked;
        listing_arm(l);
}
