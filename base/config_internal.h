/* config_internal.h - one value of a configuration, by type; for base/config*.c only.
 *
 * Threads:  no state.
 */
#ifndef BASE_CONFIG_INTERNAL_H
#define BASE_CONFIG_INTERNAL_H

#include "base/config.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "base/strbuf.h"

#define CONFIG_TEXT_BYTES_MAX ((size_t)1024 * 1024) /* of a file, and of an effective config */

/* A value being read, and where it stands. */
struct config_input {
    const char *source; /* "config 'ppo.json'" */
    const struct json *doc;
    const struct json_node *node;
    const struct config_input *parent; /* the section or list it is in; NULL for the whole */
    const char *key;                   /* NULL for an element of a list */
    int64_t index;
};

/* The member of `config` that belongs to `field`. */
static inline void *config_member(const struct config_field *field, void *config) {
    return (char *)config + field->offset;
}

static inline const void *config_member_const(const struct config_field *field,
                                              const void *config) {
    return (const char *)config + field->offset;
}

/* All of these: for any type but SECTION. */

/* Checks the value and puts it into `member`, releasing what was there. */
ERR_NODISCARD enum err_code config_field_read(const struct config_field *field,
                                              const struct config_input *in, void *member,
                                              struct error *err);

/* The value as JSON, which config_field_read takes back. */
void config_field_write(const struct config_field *field, const void *member,
                        struct json_writer *w);

/* A text from the command line, or a default, as the JSON value it stands for. What does not fit
 * the type becomes a string, for config_field_read to refuse. */
void config_field_write_text(const struct config_field *field, const char *text,
                             struct json_writer *w);

/* Deep copy into `out_member`, which is overwritten unread. */
ERR_NODISCARD enum err_code config_field_clone(const struct config_field *field, const void *member,
                                               void *out_member, struct error *err);

/* Releases what the value owns and zeroes it. */
void config_field_deinit(const struct config_field *field, void *member);

/* "number in [1e-06, 10]", "one of kl, pm, cpm". */
void config_field_describe(const struct config_field *field, struct strbuf *out);

#endif
