/* xml_check.c - see xml_check.h. */
#include "tests/support/xml_check.h"

#include "base/utf8.h"
#include "tests/support/test.h"

#include <ctype.h>
#include <stdbool.h>

#define DEPTH_MAX 64

struct name {
    const char *at;
    size_t length;
};

struct checking {
    struct name open[DEPTH_MAX];
    int depth;
};

static void check(bool is_well, const char *what, const char *at) {
    if (!is_well) {
        fail_msg("%s: '%.60s'", what, at);
    }
}

/* At a '&'; returns what is behind the entity. */
static const char *skip_entity(const char *at) {
    static const char *const entities[] = {"&amp;", "&lt;", "&gt;", "&quot;"};
    for (size_t i = 0; i < sizeof entities / sizeof entities[0]; i++) {
        if (strncmp(at, entities[i], strlen(entities[i])) == 0) {
            return at + strlen(entities[i]);
        }
    }
    check(false, "no entity", at);
    return at;
}

static struct name read_name(const char *at) {
    struct name name = {at, 0};
    while (isalnum((unsigned char)at[name.length]) ||
           (at[name.length] && strchr("-_:", at[name.length]))) {
        name.length++;
    }
    check(name.length > 0, "no name", at);
    return name;
}

/* From behind an element's name to its '>' or '/'. */
static const char *skip_attributes(const char *at) {
    while (*at == ' ') {
        const struct name name = read_name(at + 1);
        at = name.at + name.length;
        check(at[0] == '=' && at[1] == '"', "no value", at);
        for (at += 2; *at != '"';) {
            check(*at && *at != '<', "value is not closed", at);
            at = *at == '&' ? skip_entity(at) : at + 1;
        }
        at++;
    }
    return at;
}

/* At a '<'; returns what is behind the tag. */
static const char *read_tag(struct checking *c, const char *at) {
    static const char doctype[] = "<!DOCTYPE html>";
    if (strncmp(at, doctype, strlen(doctype)) == 0) {
        return at + strlen(doctype);
    }
    const bool is_end = at[1] == '/';
    const struct name name = read_name(at + 1 + is_end);
    const char *end = is_end ? name.at + name.length : skip_attributes(name.at + name.length);
    const bool is_empty = end[0] == '/';
    end += is_empty;
    check(*end == '>', "tag is not closed", at);
    if (is_end) {
        check(c->depth > 0, "nothing is open", at);
        const struct name *open = &c->open[--c->depth];
        check(open->length == name.length && memcmp(open->at, name.at, name.length) == 0,
              "closes another element", at);
    } else if (!is_empty) {
        check(c->depth < DEPTH_MAX, "too deep", at);
        c->open[c->depth++] = name;
    }
    return end + 1;
}

void xml_check(const char *text) {
    struct checking c = {.depth = 0};
    const size_t bad = utf8_find_invalid(text, strlen(text));
    check(text[bad] == '\0', "not UTF-8", text + bad);
    for (const char *at = text; *at;) {
        check((unsigned char)*at >= 0x20 || *at == '\n', "a control character", at);
        at = *at == '<' ? read_tag(&c, at) : *at == '&' ? skip_entity(at) : at + 1;
    }
    check(c.depth == 0, "not closed", c.depth > 0 ? c.open[c.depth - 1].at : "");
}
