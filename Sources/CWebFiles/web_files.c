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
#embed "web/js/calls.js"
};
static const unsigned char file6[] = {
#embed "web/js/contract.js"
};
static const unsigned char file7[] = {
#embed "web/js/conversations.js"
};
static const unsigned char file8[] = {
#embed "web/js/database.js"
};
static const unsigned char file9[] = {
#embed "web/js/demo.js"
};
static const unsigned char file10[] = {
#embed "web/js/device.js"
};
static const unsigned char file11[] = {
#embed "web/js/dom.js"
};
static const unsigned char file12[] = {
#embed "web/js/drafts.js"
};
static const unsigned char file13[] = {
#embed "web/js/features.js"
};
static const unsigned char file14[] = {
#embed "web/js/mailbox.js"
};
static const unsigned char file15[] = {
#embed "web/js/main.js"
};
static const unsigned char file16[] = {
#embed "web/js/paths.js"
};
static const unsigned char file17[] = {
#embed "web/js/peer.js"
};
static const unsigned char file18[] = {
#embed "web/js/playback.js"
};
static const unsigned char file19[] = {
#embed "web/js/popup.js"
};
static const unsigned char file20[] = {
#embed "web/js/preferences.js"
};
static const unsigned char file21[] = {
#embed "web/js/queue.js"
};
static const unsigned char file22[] = {
#embed "web/js/sessions.js"
};
static const unsigned char file23[] = {
#embed "web/js/shell.js"
};
static const unsigned char file24[] = {
#embed "web/js/stream.js"
};
static const unsigned char file25[] = {
#embed "web/js/views/account.js"
};
static const unsigned char file26[] = {
#embed "web/js/views/attachments.js"
};
static const unsigned char file27[] = {
#embed "web/js/views/availability.js"
};
static const unsigned char file28[] = {
#embed "web/js/views/boxes.js"
};
static const unsigned char file29[] = {
#embed "web/js/views/camera.js"
};
static const unsigned char file30[] = {
#embed "web/js/views/choose.js"
};
static const unsigned char file31[] = {
#embed "web/js/views/compose.js"
};
static const unsigned char file32[] = {
#embed "web/js/views/contacts.js"
};
static const unsigned char file33[] = {
#embed "web/js/views/conversations.js"
};
static const unsigned char file34[] = {
#embed "web/js/views/devices.js"
};
static const unsigned char file35[] = {
#embed "web/js/views/files.js"
};
static const unsigned char file36[] = {
#embed "web/js/views/live.js"
};
static const unsigned char file37[] = {
#embed "web/js/views/livelist.js"
};
static const unsigned char file38[] = {
#embed "web/js/views/media.js"
};
static const unsigned char file39[] = {
#embed "web/js/views/message.js"
};
static const unsigned char file40[] = {
#embed "web/js/views/messages.js"
};
static const unsigned char file41[] = {
#embed "web/js/views/receivers.js"
};
static const unsigned char file42[] = {
#embed "web/js/views/requests.js"
};
static const unsigned char file43[] = {
#embed "web/js/views/rules.js"
};
static const unsigned char file44[] = {
#embed "web/js/views/search.js"
};
static const unsigned char file45[] = {
#embed "web/js/views/signin.js"
};
static const unsigned char file46[] = {
#embed "web/js/views/thread.js"
};
static const unsigned char file47[] = {
#embed "web/js/views/waiting.js"
};
static const unsigned char file48[] = {
#embed "web/js/virtual.js"
};
static const unsigned char file49[] = {
#embed "web/js/words.js"
};
static const unsigned char file50[] = {
#embed "web/operator/accounts.js"
};
static const unsigned char file51[] = {
#embed "web/operator/chart.js"
};
static const unsigned char file52[] = {
#embed "web/operator/index.html"
};
static const unsigned char file53[] = {
#embed "web/operator/lists.js"
};
static const unsigned char file54[] = {
#embed "web/operator/main.js"
};
static const unsigned char file55[] = {
#embed "web/operator/operator.css"
};
static const unsigned char file56[] = {
#embed "web/operator/overview.js"
};
static const unsigned char file57[] = {
#embed "web/operator/table.js"
};
static const unsigned char file58[] = {
#embed "web/operator/words.js"
};
static const unsigned char file59[] = {
#embed "web/strings/de.js"
};
static const unsigned char file60[] = {
#embed "web/strings/en.js"
};
static const unsigned char file61[] = {
#embed "web/worker.js"
};

static const struct web_file files[] = {
    {"app.css", file0, sizeof file0},
    {"demo.html", file1, sizeof file1},
    {"icon.svg", file2, sizeof file2},
    {"index.html", file3, sizeof file3},
    {"js/api.js", file4, sizeof file4},
    {"js/calls.js", file5, sizeof file5},
    {"js/contract.js", file6, sizeof file6},
    {"js/conversations.js", file7, sizeof file7},
    {"js/database.js", file8, sizeof file8},
    {"js/demo.js", file9, sizeof file9},
    {"js/device.js", file10, sizeof file10},
    {"js/dom.js", file11, sizeof file11},
    {"js/drafts.js", file12, sizeof file12},
    {"js/features.js", file13, sizeof file13},
    {"js/mailbox.js", file14, sizeof file14},
    {"js/main.js", file15, sizeof file15},
    {"js/paths.js", file16, sizeof file16},
    {"js/peer.js", file17, sizeof file17},
    {"js/playback.js", file18, sizeof file18},
    {"js/popup.js", file19, sizeof file19},
    {"js/preferences.js", file20, sizeof file20},
    {"js/queue.js", file21, sizeof file21},
    {"js/sessions.js", file22, sizeof file22},
    {"js/shell.js", file23, sizeof file23},
    {"js/stream.js", file24, sizeof file24},
    {"js/views/account.js", file25, sizeof file25},
    {"js/views/attachments.js", file26, sizeof file26},
    {"js/views/availability.js", file27, sizeof file27},
    {"js/views/boxes.js", file28, sizeof file28},
    {"js/views/camera.js", file29, sizeof file29},
    {"js/views/choose.js", file30, sizeof file30},
    {"js/views/compose.js", file31, sizeof file31},
    {"js/views/contacts.js", file32, sizeof file32},
    {"js/views/conversations.js", file33, sizeof file33},
    {"js/views/devices.js", file34, sizeof file34},
    {"js/views/files.js", file35, sizeof file35},
    {"js/views/live.js", file36, sizeof file36},
    {"js/views/livelist.js", file37, sizeof file37},
    {"js/views/media.js", file38, sizeof file38},
    {"js/views/message.js", file39, sizeof file39},
    {"js/views/messages.js", file40, sizeof file40},
    {"js/views/receivers.js", file41, sizeof file41},
    {"js/views/requests.js", file42, sizeof file42},
    {"js/views/rules.js", file43, sizeof file43},
    {"js/views/search.js", file44, sizeof file44},
    {"js/views/signin.js", file45, sizeof file45},
    {"js/views/thread.js", file46, sizeof file46},
    {"js/views/waiting.js", file47, sizeof file47},
    {"js/virtual.js", file48, sizeof file48},
    {"js/words.js", file49, sizeof file49},
    {"operator/accounts.js", file50, sizeof file50},
    {"operator/chart.js", file51, sizeof file51},
    {"operator/index.html", file52, sizeof file52},
    {"operator/lists.js", file53, sizeof file53},
    {"operator/main.js", file54, sizeof file54},
    {"operator/operator.css", file55, sizeof file55},
    {"operator/overview.js", file56, sizeof file56},
    {"operator/table.js", file57, sizeof file57},
    {"operator/words.js", file58, sizeof file58},
    {"strings/de.js", file59, sizeof file59},
    {"strings/en.js", file60, sizeof file60},
    {"worker.js", file61, sizeof file61},
};

size_t web_file_count(void) { return sizeof files / sizeof files[0]; }

const struct web_file *web_file_at(size_t index) { return &files[index]; }
