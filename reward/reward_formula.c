/* reward_formula.c - see reward_formula.h. */
#include "reward/reward_formula.h"

#include "base/invariant.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/scoped.h"
#include "base/sorted.h"
#include "base/strbuf.h"
#include "base/suggest.h"
#include "base/utf8.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define NUMBER_BYTES_MAX 64
#define SPEC_BYTES_MAX   (64 * 1024)
#define TEXT_BYTES_SHOWN 160

static const struct {
    const char *name; /* up to the parenthesis, or to K */
    enum reward_formula_kind kind;
} combinations[] = {
    {"sum", REWARD_FORMULA_SUM},       {"mean", REWARD_FORMULA_MEAN},
    {"median", REWARD_FORMULA_MEDIAN}, {"worst", REWARD_FORMULA_WORST},
    {"lcb:", REWARD_FORMULA_LCB},
};

#define COMBINATION_COUNT (sizeof combinations / sizeof combinations[0])

struct parser {
    const char *text;
    size_t at;
    int64_t depth; /* open parentheses */
    struct reward_formula *formula;
    struct error *err;
};

/* ---- pieces --------------------------------------------------------------------------------- */

static enum err_code refuse(const struct parser *p, size_t at, const char *fmt, ...)
    ERR_FORMAT(3, 4);

static enum err_code refuse(const struct parser *p, size_t at, const char *fmt, ...) {
    char what[ERR_MSG_BYTES];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    /* Of a long text only the beginning, so that the place and what is wrong there remain. */
    char text[TEXT_BYTES_SHOWN];
    return err_set(p->err, ERR_CONFIG, "reward '%s': at byte %zu: %s",
                   utf8_visible(p->text, strlen(p->text), text, sizeof text), at + 1, what);
}

static char here(const struct parser *p) {
    return p->text[p->at];
}

static void skip_blanks(struct parser *p) {
    while (p->depth > 0 && (here(p) == ' ' || here(p) == '\t' || here(p) == '\n')) {
        p->at++;
    }
}

/* The number in text[begin, end). */
static enum err_code read_number(const struct parser *p, size_t begin, size_t end, const char *what,
                                 double *out) {
    char digits[NUMBER_BYTES_MAX];
    const size_t length = end - begin;
    if (length < sizeof digits) {
        memcpy(digits, p->text + begin, length);
        digits[length] = '\0';
        if (number_parse_f64(digits, out)) {
            return ERR_OK;
        }
    }
    char excerpt[UTF8_EXCERPT_BYTES];
    return refuse(p, begin, "%s '%s' is not a number", what,
                  utf8_excerpt(p->text + begin, length, excerpt));
}

/* What a number may begin and go on with, up to a '*', is a factor; a leaf that begins so is to be
 * quoted. */
static enum err_code read_factor(struct parser *p, double *out_factor) {
    *out_factor = 1.0;
    const size_t length = strspn(p->text + p->at, "0123456789.eE+-/");
    if (length == 0 || p->text[p->at + length] != '*') {
        return ERR_OK;
    }
    const size_t end = p->at + length;
    const size_t slash = p->at + strcspn(p->text + p->at, "/*");
    double weight = 1.0, scale = 1.0;
    if (slash > p->at) {
        TRY(read_number(p, p->at, slash, "weight", &weight));
    }
    if (slash < end) {
        TRY(read_number(p, slash + 1, end, "scale", &scale));
        if (!(scale > 0.0)) {
            return refuse(p, slash + 1, "a scale must be above 0");
        }
    }
    *out_factor = weight / scale;
    if (!isfinite(*out_factor)) {
        return refuse(p, p->at, "the factor is beyond a double");
    }
    p->at = end + 1;
    return ERR_OK;
}

static enum err_code add_node(struct parser *p, const struct reward_formula_node *node,
                              int64_t *out_index) {
    struct reward_formula *f = p->formula;
    if (f->node_count == REWARD_FORMULA_NODES_MAX) {
        return refuse(p, p->at, "more than %d rewards and combinations", REWARD_FORMULA_NODES_MAX);
    }
    f->nodes[f->node_count] = *node;
    *out_index = f->node_count++;
    return ERR_OK;
}

/* `spec` is taken over. */
static enum err_code add_leaf(struct parser *p, double factor, char *spec) {
    SCOPED(mem) char *own = spec;
    int64_t index = 0;
    const struct reward_formula_node leaf = {.kind = REWARD_FORMULA_LEAF, .factor = factor};
    if (!own) {
        return err_oom(p->err, "reward");
    }
    TRY(add_node(p, &leaf, &index));
    p->formula->nodes[index].end = index + 1;
    p->formula->nodes[index].leaf = p->formula->leaf_count++;
    p->formula->nodes[index].spec = MOVE(own);
    return ERR_OK;
}

/* ---- leaves --------------------------------------------------------------------------------- */

static enum err_code read_quoted(struct parser *p, double factor) {
    const size_t begin = p->at;
    const char quote = here(p);
    SCOPED(strbuf) struct strbuf spec = STRBUF_INIT(SPEC_BYTES_MAX);
    for (p->at++; here(p); p->at++) {
        if (here(p) == quote && p->text[++p->at] != quote) {
            TRY(strbuf_check(&spec, "reward", p->err));
            return spec.length > 0 ? add_leaf(p, factor, strbuf_detach(&spec))
                                   : refuse(p, begin, "nothing is between the quotes");
        }
        strbuf_add_char(&spec, here(p));
    }
    return refuse(p, begin, "the quote is not closed");
}

/* At a '(' in a leaf: what was meant? */
static enum err_code refuse_parenthesis(const struct parser *p, size_t begin, size_t end) {
    const char *names[COMBINATION_COUNT];
    for (size_t i = 0; i < COMBINATION_COUNT; i++) {
        names[i] = combinations[i].name;
    }
    SCOPED(mem) char *name = mem_strndup(p->text + begin, end - begin);
    const char *nearest = name ? suggest_nearest(name, names, COMBINATION_COUNT) : NULL;
    if (nearest) {
        return refuse(p, begin, "no combination is called '%s', did you mean '%s'", name, nearest);
    }
    return refuse(p, end, "'%c' inside a reward: put all of the reward into quotes", p->text[end]);
}

static enum err_code read_bare(struct parser *p, double factor) {
    const size_t begin = p->at;
    size_t end =
        begin + (p->depth > 0 ? strcspn(p->text + begin, ",()'\"") : strlen(p->text + begin));
    if (p->depth > 0 && p->text[end] && !strchr(",)", p->text[end])) {
        return refuse_parenthesis(p, begin, end);
    }
    p->at = end;
    while (p->depth > 0 && end > begin && strchr(" \t\n", p->text[end - 1])) {
        end--;
    }
    if (end == begin && p->depth > 0) {
        return refuse(p, begin, "a reward is missing");
    }
    return add_leaf(p, factor, mem_strndup(p->text + begin, end - begin));
}

/* ---- combinations --------------------------------------------------------------------------- */

/* Whether a combination begins here; goes behind its parenthesis if so. */
static enum err_code read_head(struct parser *p, struct reward_formula_node *node, bool *out_is) {
    const char *at = p->text + p->at;
    *out_is = false;
    for (size_t i = 0; i < COMBINATION_COUNT; i++) {
        const size_t length = strlen(combinations[i].name);
        const bool has_number = combinations[i].kind == REWARD_FORMULA_LCB;
        if (strncmp(at, combinations[i].name, length) != 0) {
            continue;
        }
        const size_t end = length + (has_number ? strspn(at + length, "0123456789.eE+-") : 0);
        if (at[end] != '(') {
            continue;
        }
        if (has_number) {
            TRY(read_number(p, p->at + length, p->at + end, "K", &node->deviations));
        }
        if (node->deviations < 0.0) {
            return refuse(p, p->at + length, "K is %g, below 0", node->deviations);
        }
        node->kind = combinations[i].kind;
        p->at += end + 1;
        *out_is = true;
        return ERR_OK;
    }
    return ERR_OK;
}

static enum err_code read_formula(struct parser *p);

static enum err_code read_members(struct parser *p, const struct reward_formula_node *head) {
    const size_t begin = p->at;
    int64_t index = 0, members = 0;
    TRY(add_node(p, head, &index));
    if (++p->depth > REWARD_FORMULA_DEPTH_MAX) {
        return refuse(p, begin, "nested deeper than %d", REWARD_FORMULA_DEPTH_MAX);
    }
    do {
        p->at += members++ > 0; /* the comma */
        TRY(read_formula(p));
    } while (here(p) == ',');
    if (here(p) != ')') {
        return refuse(p, p->at, here(p) ? "expected ',' or ')'" : "a ')' is missing");
    }
    p->at++;
    p->depth--;
    if (head->kind == REWARD_FORMULA_LCB && members < 2) {
        return refuse(p, begin, "lcb needs two rewards or more");
    }
    p->formula->nodes[index].member_count = members;
    p->formula->nodes[index].end = p->formula->node_count;
    return ERR_OK;
}

static enum err_code read_formula(struct parser *p) {
    struct reward_formula_node node = {.kind = REWARD_FORMULA_LEAF};
    bool is_combination = false;
    skip_blanks(p);
    TRY(read_factor(p, &node.factor));
    TRY(read_head(p, &node, &is_combination));
    if (is_combination) {
        TRY(read_members(p, &node));
    } else if (here(p) == '\'' || here(p) == '"') {
        TRY(read_quoted(p, node.factor));
    } else {
        TRY(read_bare(p, node.factor));
    }
    skip_blanks(p);
    return ERR_OK;
}

enum err_code reward_formula_parse(const char *text, struct reward_formula *out_formula,
                                   struct error *err) {
    SCOPED(reward_formula) struct reward_formula formula = REWARD_FORMULA_INIT;
    formula.nodes = mem_array_zero(REWARD_FORMULA_NODES_MAX, sizeof *formula.nodes);
    if (!formula.nodes) {
        return err_oom(err, "reward");
    }
    struct parser p = {.text = text, .formula = &formula, .err = err};
    TRY(read_formula(&p));
    if (here(&p)) {
        return refuse(&p, p.at, "nothing may follow here");
    }
    *out_formula = formula;
    formula = (struct reward_formula)REWARD_FORMULA_INIT;
    return ERR_OK;
}

void reward_formula_deinit(struct reward_formula *formula) {
    for (int64_t n = 0; n < formula->node_count; n++) {
        mem_free(formula->nodes[n].spec);
    }
    mem_free(formula->nodes);
    *formula = (struct reward_formula)REWARD_FORMULA_INIT;
}

/* ---- values --------------------------------------------------------------------------------- */

static double sum_of(const double *r, int64_t n) {
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++) {
        sum += r[i];
    }
    return sum;
}

/* No NaN among `r`, which may be sorted. */
static double combine(const struct reward_formula_node *node, double *r) {
    const int64_t n = node->member_count;
    const double mean = sum_of(r, n) / (double)n;
    if (node->kind == REWARD_FORMULA_SUM) {
        return sum_of(r, n);
    }
    if (node->kind == REWARD_FORMULA_MEAN) {
        return mean;
    }
    if (node->kind == REWARD_FORMULA_LCB) {
        double squares = 0.0;
        for (int64_t i = 0; i < n; i++) {
            squares += (r[i] - mean) * (r[i] - mean);
        }
        return mean - node->deviations * sqrt(squares / (double)n);
    }
    sorted_make(r, n);
    return node->kind == REWARD_FORMULA_WORST ? r[0] : sorted_quantile(r, n, 0.5);
}

static double value_of(const struct reward_formula *formula, int64_t index, const double *values) {
    const struct reward_formula_node *node = &formula->nodes[index];
    if (node->kind == REWARD_FORMULA_LEAF) {
        return node->factor * values[node->leaf];
    }
    double members[REWARD_FORMULA_NODES_MAX] = {0.0};
    int64_t count = 0;
    for (int64_t m = index + 1; m < node->end; m = formula->nodes[m].end) {
        members[count] = value_of(formula, m, values);
        if (isnan(members[count++])) {
            return (double)NAN;
        }
    }
    ASSERT_EQ(count, node->member_count);
    ASSERT_LT(0, count);
    return node->factor * combine(node, members);
}

double reward_formula_value(const struct reward_formula *formula, const double *values) {
    return value_of(formula, 0, values) + 0.0; /* no -0, which reads oddly */
}
