// Written by scripts/web-files.
#include "web_files.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char file0[] = {
#embed "web/app.css"
};
static const unsigned char file1[] = {
#embed "web/demo.html"
};
static const unsigned char file2[] = {
#embed "web/icon.svg"
};
static const unsigned char file3[] = {
#embed "web/index.html"
};
static const unsigned char file4[] = {
#embed "web/js/api.js"
};
static const unsigned char file5[] = {
#embed "web/js/contract.js"
};
static const unsigned char file6[] = {
#embed "web/js/database.js"
};
static const unsigned char file7[] = {
#embed "web/js/demo.js"
};
static const unsigned char file8[] = {
#embed "web/js/device.js"
};
static const unsigned char file9[] = {
#embed "web/js/dom.js"
};
static const unsigned char file10[] = {
#embed "web/js/mailbox.js"
};
static const unsigned char file11[] = {
#embed "web/js/main.js"
};
static const unsigned char file12[] = {
#embed "web/js/popup.js"
};
static const unsigned char file13[] = {
#embed "web/js/queue.js"
};
static const unsigned char file14[] = {
#embed "web/js/stream.js"
};
static const unsigned char file15[] = {
#embed "web/js/views/account.js"
};
static const unsigned char file16[] = {
#embed "web/js/views/compose.js"
};
static const unsigned char file17[] = {
#embed "web/js/views/contacts.js"
};
static const unsigned char file18[] = {
#embed "web/js/views/devices.js"
};
static const unsigned char file19[] = {
#embed "web/js/views/message.js"
};
static const unsigned char file20[] = {
#embed "web/js/views/messages.js"
};
static const unsigned char file21[] = {
#embed "web/js/views/rules.js"
};
static const unsigned char file22[] = {
#embed "web/js/views/signin.js"
};
static const unsigned char file23[] = {
#embed "web/js/words.js"
};
static const unsigned char file24[] = {
#embed "web/operator/accounts.js"
};
static const unsigned char file25[] = {
#embed "web/operator/chart.js"
};
static const unsigned char file26[] = {
#embed "web/operator/index.html"
};
static const unsigned char file27[] = {
#embed "web/operator/lists.js"
};
static const unsigned char file28[] = {
#embed "web/operator/main.js"
};
static const unsigned char file29[] = {
#embed "web/operator/operator.css"
};
static const unsigned char file30[] = {
#embed "web/operator/overview.js"
};
static const unsigned char file31[] = {
#embed "web/operator/table.js"
};
static const unsigned char file32[] = {
#embed "web/operator/words.js"
};
static const unsigned char file33[] = {
#embed "web/strings/de.js"
};
static const unsigned char file34[] = {
#embed "web/strings/en.js"
};
static const unsigned char file35[] = {
#embed "web/worker.js"
};

static const struct web_file files[] = {
    {"app.css", file0, sizeof file0},
    {"demo.html", file1, sizeof file1},
    {"icon.svg", file2, sizeof file2},
    {"index.html", file3, sizeof file3},
    {"js/api.js", file4, sizeof file4},
    {"js/contract.js", file5, sizeof file5},
    {"js/database.js", file6, sizeof file6},
    {"js/demo.js", file7, sizeof file7},
    {"js/device.js", file8, sizeof file8},
    {"js/dom.js", file9, sizeof file9},
    {"js/mailbox.js", file10, sizeof file10},
    {"js/main.js", file11, sizeof file11},
    {"js/popup.js", file12, sizeof file12},
    {"js/queue.js", file13, sizeof file13},
    {"js/stream.js", file14, sizeof file14},
    {"js/views/account.js", file15, sizeof file15},
    {"js/views/compose.js", file16, sizeof file16},
    {"js/views/contacts.js", file17, sizeof file17},
    {"js/views/devices.js", file18, sizeof file18},
    {"js/views/message.js", file19, sizeof file19},
    {"js/views/messages.js", file20, sizeof file20},
    {"js/views/rules.js", file21, sizeof file21},
    {"js/views/signin.js", file22, sizeof file22},
    {"js/words.js", file23, sizeof file23},
    {"operator/accounts.js", file24, sizeof file24},
    {"operator/chart.js", file25, sizeof file25},
    {"operator/index.html", file26, sizeof file26},
    {"operator/lists.js", file27, sizeof file27},
    {"operator/main.js", file28, sizeof file28},
    {"operator/operator.css", file29, sizeof file29},
    {"operator/overview.js", file30, sizeof file30},
    {"operator/table.js", file31, sizeof file31},
    {"operator/words.js", file32, sizeof file32},
    {"strings/de.js", file33, sizeof file33},
    {"strings/en.js", file34, sizeof file34},
    {"worker.js", file35, sizeof file35},
};

size_t web_file_count(void) { return sizeof files / sizeof files[0]; }

const struct web_file *web_file_at(size_t index) { return &files[index]; }
