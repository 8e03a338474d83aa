/* The bar on a terminal: how much is sent, how much is done, at what rate, and when it will end.
 * The rate is that of the last WINDOW_MS, so a fleet that shrinks shows at once; no end is promised
 * before there is something to measure. Owns one line of standard error; silent when that is no
 * terminal. */
#include "progress.h"

#include "base/clock.h"
#include "ctl.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DRAW_MS    100
#define WINDOW_MS  15000
#define MEASURE_MS 1500 /* less says nothing about the rest */
#define SAMPLE_MS  250
#define SAMPLES    (WINDOW_MS / SAMPLE_MS + 1)

static struct {
    bool on, shown;
    uint64_t bytes, sent;
    double done;
    uint64_t fetched, to_fetch;
    int64_t drawn_ms, polled_ms;
    struct {
        int64_t ms;
        double fraction;
        uint64_t sent;
    } samples[SAMPLES];
    size_t n_samples;
} bar;

void progress_open(bool wanted, uint64_t bytes)
{
    memset(&bar, 0, sizeof bar);
    bar.on = wanted && isatty(STDERR_FILENO);
    bar.bytes = bytes;
}

static double fraction_now(void)
{
    return bar.to_fetch ? (double)bar.fetched / (double)bar.to_fetch : bar.done;
}

static void sample_take(int64_t now_ms)
{
    size_t n = bar.n_samples;
    if (n && now_ms - bar.samples[n - 1].ms < SAMPLE_MS)
        return;
    if (n == SAMPLES)
        memmove(bar.samples, bar.samples + 1, --n * sizeof bar.samples[0]);
    bar.samples[n].ms = now_ms;
    bar.samples[n].fraction = fraction_now();
    bar.samples[n].sent = bar.sent;
    bar.n_samples = n + 1;
}

/* Seconds that the window spans; 0 while there is nothing to go by. */
static double window_now(int64_t now_ms)
{
    int64_t ms = bar.n_samples ? now_ms - bar.samples[0].ms : 0;
    return ms < MEASURE_MS ? 0 : (double)ms / 1000;
}

static void words_now(struct sw_buf *text, int64_t now_ms)
{
    double window = window_now(now_ms), fraction = fraction_now();
    double speed = window > 0 ? (fraction - bar.samples[0].fraction) / window : 0;
    uint64_t of = bar.to_fetch ? bar.to_fetch : bar.bytes;
    sw_buf_printf(text, " %3d%%", (int)(fraction * 100));
    if (bar.to_fetch)
        sw_buf_text(text, "  fetching");
    else if (bar.sent < bar.bytes) {
        sw_buf_printf(text, "  sent %d%%", (int)(bar.sent * 100 / bar.bytes));
        if (window > 0 && bar.sent > bar.samples[0].sent) {
            sw_buf_text(text, " at ");
            text_bytes(text, (uint64_t)((double)(bar.sent - bar.samples[0].sent) / window));
            sw_buf_text(text, "/s");
        }
    }
    if (speed > 0 && of) {
        sw_buf_text(text, "  ");
        text_bytes(text, (uint64_t)(speed * (double)of));
        sw_buf_text(text, "/s");
    }
    if (speed > 0 && fraction < 1) {
        sw_buf_text(text, "  ");
        text_span(text, (int64_t)((1 - fraction) / speed) + 1);
        sw_buf_text(text, " left");
    }
}

static void draw(void)
{
    int64_t now_ms = sw_boot_ms();
    AUTO_BUF struct sw_buf words = {0};
    AUTO_BUF struct sw_buf line = {0};
    struct winsize size = {0};
    if (!bar.on)
        return;
    sample_take(now_ms);
    if (now_ms - bar.drawn_ms < DRAW_MS)
        return;
    bar.drawn_ms = now_ms;
    words_now(&words, now_ms);
    int columns = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) || !size.ws_col ? 80 : size.ws_col;
    int width = SW_MIN(columns - (int)words.size - 3, 40);
    int full = (int)(fraction_now() * width);
    sw_buf_text(&line, "\r");
    for (int i = 0; i < width; i++)
        sw_buf_text(&line, i == 0 ? (full > 0 ? "[#" : "[.") : i < full ? "#" : ".");
    sw_buf_printf(&line, "%s%s\033[K", width > 0 ? "]" : "", (const char *)words.data);
    fwrite(line.data, 1, line.size, stderr);
    bar.shown = true;
}

void progress_sent(uint64_t bytes)
{
    bar.sent = bytes;
    draw();
}

void progress_done(double fraction)
{
    bar.done = SW_MAX(0.0, SW_MIN(1.0, fraction));
    draw();
}

void progress_fetched(uint64_t bytes, uint64_t of)
{
    if (of && !bar.to_fetch)
        bar.n_samples = 0; /* another thing is measured from here on */
    bar.fetched = SW_MIN(bytes, of);
    bar.to_fetch = of;
    draw();
}

bool progress_is_due(void)
{
    int64_t now_ms = sw_boot_ms();
    if (!bar.on || now_ms - bar.polled_ms < 500)
        return false;
    bar.polled_ms = now_ms;
    return true;
}

void progress_hide(void)
{
    if (bar.shown)
        fputs("\r\033[K", stderr);
    bar.shown = false;
    bar.drawn_ms = 0;
}

void progress_close(void)
{
    progress_hide();
    bar.on = false;
}
