#include "data/table_mapping.h"

#include "base/scoped.h"
#include "tests/support/test.h"

#include <stdio.h>

#define CELLS_MAX 64

struct header {
    struct text_span cells[CELLS_MAX];
    int64_t columns[CELLS_MAX];
    struct import_table_row row;
};

/* "a,b,c" */
static const struct import_table_row *
make_header(struct header *header, const struct import_settings *settings, const char *names) {
    *header = (struct header){.row = {.settings = settings, .place = "t.csv", .line = 1}};
    while (*names) {
        size_t count = strcspn(names, ",");
        int64_t c = header->row.cell_count++;
        header->cells[c] = (struct text_span){names, count};
        header->columns[c] = c + 1;
        names += count + (names[count] == ',');
    }
    header->row.cells = header->cells;
    header->row.columns = header->columns;
    return &header->row;
}

/* Title and roles, or "! " and the message; "map" is "role=column" pairs, ended by NULL. */
static void check(const char *names, const struct import_map_entry *map, int64_t map_count,
                  const char *texts, const char *expected) {
    const struct import_settings settings = {
        .path = "t.csv", .map = map, .map_count = map_count, .texts = texts};
    struct header header;
    struct error err = ERROR_INIT;
    SCOPED(strbuf) struct strbuf got = STRBUF_INIT(8192);
    SCOPED(table_mapping) struct table_mapping mapping = TABLE_MAPPING_INIT;
    const struct import_table_row *row = make_header(&header, &settings, names);
    enum err_code code = table_mapping_open(row, &mapping, &err);
    struct table_mapping recognised;
    bool is_recognised = table_mapping_recognise(row, &recognised);
    if (code == ERR_OK) {
        assert_true(is_recognised);
        assert_ptr_equal(recognised.layout, mapping.layout);
        strbuf_addf(&got, "%s: ", mapping.layout->title);
        table_mapping_describe(&mapping, row, &got);
        strbuf_add(&got, "; ");
        table_mapping_describe_unused(&mapping, row, &got);
    } else {
        strbuf_addf(&got, "! %s", err.msg);
    }
    assert_string_equal(strbuf_text(&got), expected);
}

static void test_mapping__well_known_headers_are_recognised(void **state) {
    (void)state;
    static const struct {
        const char *names, *texts, *expected;
    } cases[] = {
        {"date,home_team,away_team,home_score,away_score,tournament,city,country,neutral", NULL,
         "two sides of a match and their scores: home 'home_team', away 'away_team', score_a "
         "'home_score', score_b 'away_score', time 'date', neutral 'neutral'; tournament, city, "
         "country"},
        {"home.team,away.team,home.wins,away.wins", NULL,
         "two sides of matches and how often each won: home 'home.team', away 'away.team', wins_a "
         "'home.wins', wins_b 'away.wins'; "},
        {"winner,loser", NULL,
         "the item that won and the one that lost: winner 'winner', loser 'loser'; "},
        {"cited,citing,count", NULL,
         "the item that won and the one that lost: winner 'cited', loser 'citing', weight "
         "'count'; "},
        {"assessor,bottom_item,top_item", NULL,
         "the item that won and the one that lost: winner 'top_item', loser 'bottom_item', "
         "annotator 'assessor'; "},
        {"i,j,r_ij,w_ij,w_ji,t_ij", NULL,
         "two items and how often each won: item_a 'i', item_b 'j', wins_a 'w_ij', wins_b 'w_ji', "
         "ties 't_ij', total 'r_ij'; "},
        {"prompt,chosen,rejected", NULL,
         "a chosen and a rejected text: prompt 'prompt', chosen 'chosen', rejected 'rejected'; "},
        {"Prompt,Response A,Response-B,WINNER,model_a,model_b", NULL,
         "two texts and which is better: prompt 'Prompt', response_a 'Response A', response_b "
         "'Response-B', winner 'WINNER', origin_a 'model_a', origin_b 'model_b'; "},
        {"race,rank1,rank2,rank10,rank3", NULL,
         "items in order, the best first: ranking 'rank1' and 3 more, ranking_id 'race'; "},
        {"race,item,rank", NULL,
         "items of a ranking, a row each: ranking_id 'race', item 'item', rank 'rank'; "},
        {"#id,label,a1,a2", NULL,
         "two texts and which is better: response_a 'a1', response_b 'a2', winner 'label'; #id"},
        {"topic_side,a1_id,a2_id,n_a1,n_a2,gold,votes(worker:choice)", "args.jsonl",
         "two texts and everybody's votes: response_a 'a1_id', response_b 'a2_id', votes "
         "'votes(worker:choice)', topic 'topic_side'; n_a1, n_a2, gold"},
        {"prompt,response_a,response_b,winner_model_a,winner_model_b,winner_tie", NULL,
         "two texts and how often each won: prompt 'prompt', response_a 'response_a', response_b "
         "'response_b', wins_a 'winner_model_a', wins_b 'winner_model_b', ties 'winner_tie'; "},
        {"model_a,model_b,winner,judge,population", NULL,
         "two items and which is better: item_a 'model_a', item_b 'model_b', winner 'winner', "
         "annotator 'judge', population 'population'; "},
        {"item_a,item_b,winner,population", NULL,
         "two items and which is better: item_a 'item_a', item_b 'item_b', winner 'winner'; "
         "population"},
        {"prompt,completion,label", NULL,
         "a text and whether it is good: prompt 'prompt', completion 'completion', label "
         "'label'; "},
        {"annotator,item,rating", NULL,
         "an item and its rating: rating 'rating', item 'item', annotator 'annotator'; "},
        {"item_a,item_b,winner,prompt_id,chosen_id", NULL,
         "two items and which is better: item_a 'item_a', item_b 'item_b', winner 'winner'; "
         "prompt_id, chosen_id"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check(cases[i].names, NULL, 0, cases[i].texts, cases[i].expected);
    }
}

#define MAP(...)                                                           \
    (const struct import_map_entry[]){__VA_ARGS__},                        \
        (int64_t)(sizeof((const struct import_map_entry[]){__VA_ARGS__}) / \
                  sizeof(struct import_map_entry))

static void test_mapping__says_what_is_missing(void **state) {
    (void)state;
    check("winner,date", NULL, 0, NULL,
          "! t.csv: columns: winner, date; for 'the item that won and the one that lost' there is "
          "no column for loser: name it with --map role=column");
    check("a,b", NULL, 0, NULL,
          "! t.csv: no column has a name that is known; there are: a, b; say what they are with "
          "--map role=column");
    check("prompt,chosen_id,rejected_id", NULL, 0, NULL,
          "! t.csv: the columns of the texts hold ids: give the file that has the texts with "
          "--texts FILE");
    check("chosen,rejected,q", MAP({"prompt_id", "q"}), NULL,
          "! t.csv: the columns of the texts hold ids: give the file that has the texts with "
          "--texts FILE");
    check("response_a,response_b,votes,old,annotator", MAP({"population", "old"}), NULL,
          "! t.csv: columns: response_a, response_b, votes, old, annotator; for 'two texts and "
          "which is better' there is no column for winner: name it with --map role=column");
    check("rank1,rank2,Rank_2", NULL, 0, NULL,
          "! t.csv: columns 2 and 3 of the header both have number 2: their order is not clear");
}

static void test_mapping__the_user_decides(void **state) {
    (void)state;
    check("x,y,winner,date", MAP({"item_a", "x"}, {"item_b", "y"}, {"time", ""}), NULL,
          "two items and which is better: item_a 'x', item_b 'y', winner 'winner'; date");
    check("x,y,z", MAP({"winner", "z"}, {"loser", "x"}), NULL,
          "the item that won and the one that lost: winner 'z', loser 'x'; y");
    check("p,1st,2nd,pos3,pos1,pos2", MAP({"ranking", "pos*"}, {"annotator", "p"}), NULL,
          "items in order, the best first: ranking 'pos3' and 2 more, annotator 'p'; 1st, 2nd");
    check("film,ann,bob", MAP({"item", "film"}, {"ratings", "*"}), NULL,
          "an item and a rating by each annotator: item 'film', ratings 'ann' and 1 more; ");
    check("who,f1,f2", MAP({"annotator", "who"}, {"ratings", "f*"}), NULL,
          "a rating of each item: ratings 'f1' and 1 more, annotator 'who'; ");
    check("x,y,w", MAP({"item_a", "x"}, {"item_b", "y"}, {"winner_index", "w"}), NULL,
          "two items and which is better: item_a 'x', item_b 'y', winner_index 'w'; ");
    check("chosen,rejected,q", MAP({"prompt_id", "q"}), "t.jsonl",
          "a chosen and a rejected text: prompt 'q', chosen 'chosen', rejected 'rejected'; ");
    check("a1,a2,w", MAP({"Ratings", "a*"}, {"annotator", "w"}), NULL,
          "a rating of each item: ratings 'a1' and 1 more, annotator 'w'; ");
    check("prompt_id,prompt,chosen,rejected", NULL, 0, "t.jsonl",
          "a chosen and a rejected text: prompt 'prompt', chosen 'chosen', rejected 'rejected'; "
          "prompt_id");
    check("prompt_id,chosen,rejected", NULL, 0, "t.jsonl",
          "a chosen and a rejected text: prompt 'prompt_id', chosen 'chosen', rejected "
          "'rejected'; ");
    check("prompt_id,chosen,rejected", NULL, 0, NULL,
          "a chosen and a rejected text: chosen 'chosen', rejected 'rejected'; prompt_id");
    check("question,prompt,chosen,rejected", NULL, 0, NULL,
          "a chosen and a rejected text: prompt 'prompt', chosen 'chosen', rejected 'rejected'; "
          "question");
    check("winner,loser,who,people", MAP({"annotator", "people"}, {"population", "people"}), NULL,
          "the item that won and the one that lost: winner 'winner', loser 'loser', annotator "
          "'people', population 'people'; who");
}

static void test_mapping__wrong_wishes_are_refused(void **state) {
    (void)state;
    check("winner,loser", MAP({"winer", "winner"}), NULL,
          "! --map winer=...: no such role; did you mean 'winner'?");
    check("winner,loser", MAP({"xyzzy", "winner"}), NULL,
          "! --map xyzzy=...: no such role; 'accord help import' lists them");
    check("winner,loser", MAP({"weight", "wt"}), NULL,
          "! t.csv: --map weight=wt: no column has this name; there are: winner, loser");
    check("winner,loser", MAP({"ranking", "r*"}), NULL,
          "! t.csv: --map ranking=r*: no column begins so; there are: winner, loser");
    check("winner,loser", MAP({"ranking", "winner"}), NULL,
          "! --map ranking=winner: several columns play this role: write the beginning of their "
          "names and a '*'");
    check("winner,loser,a,a", MAP({"weight", "a"}), NULL,
          "! t.csv: --map weight=a: columns 3 and 4 both have this name");
    check("winner,loser,a", MAP({"weight", "a"}, {"weight", "loser"}), NULL,
          "! --map weight=loser: this role is mapped twice");
    check("winner,loser,a", MAP({"population", "a"}), NULL,
          "! t.csv: --map population=... needs an annotator, whose population it is: add --map "
          "annotator=COLUMN");
    check("a,b,c", MAP({"item_a", "a"}, {"chosen", "b"}), NULL,
          "! t.csv: no table has all of these roles: chosen, item_a");
    check("a,b,c", MAP({"item_a", "a"}, {"item_b", "b"}), NULL,
          "! t.csv: columns: a, b, c; for 'two items and everybody's votes' there is no column for "
          "votes: name it with --map role=column");
    check("r1,r2", MAP({"ranking", "r*"}, {"ratings", "r*"}), NULL,
          "! --map has both ranking=... and ratings=...: a table holds the one or the other");
}

/* A name that both roles go by, or NULL. `buffer` has room for it. */
static const char *shared_name(enum table_role one, enum table_role two, char buffer[64]) {
    SCOPED(strbuf) struct strbuf padded = STRBUF_INIT(4096);
    strbuf_addf(&padded, " %s ", table_role_names(two));
    for (const char *word = table_role_names(one); *word;) {
        size_t count = strcspn(word, " ");
        snprintf(buffer, 64, " %.*s ", (int)count, word);
        if (strstr(strbuf_text(&padded), buffer)) {
            return buffer;
        }
        word += count + strspn(word + count, " ");
    }
    return NULL;
}

static void check_layout(const struct table_layout *layout) {
    uint64_t known = table_layout_known(layout);
    assert_true((layout->required & layout->optional) == 0);
    for (int pair = 0; pair < TABLE_ROLE_COUNT * TABLE_ROLE_COUNT; pair++) {
        enum table_role one = (enum table_role)(pair / TABLE_ROLE_COUNT);
        enum table_role two = (enum table_role)(pair % TABLE_ROLE_COUNT);
        uint64_t both = table_role_bit(one) | table_role_bit(two);
        char buffer[64];
        const char *name =
            one != two && (known & both) == both ? shared_name(one, two, buffer) : NULL;
        if (name) {
            fail_msg("'%s': '%s' and '%s' share '%s'", layout->title, table_role_word(one),
                     table_role_word(two), name);
        }
    }
}

/* No name belongs to two roles of one layout, or the order of roles would decide. */
static void test_layouts__names_are_not_ambiguous(void **state) {
    (void)state;
    const struct table_layout *layout = NULL;
    for (size_t i = 0; (layout = table_layout_at(i)); i++) {
        check_layout(layout);
    }
    char buffer[64];
    assert_non_null(shared_name(TABLE_ITEM_A, TABLE_ORIGIN_A, buffer)); /* "model_a": it can find */
}

static void test_layouts__every_role_has_a_meaning(void **state) {
    (void)state;
    for (int role = 0; role < TABLE_ROLE_COUNT; role++) {
        assert_true(strlen(table_role_meaning((enum table_role)role)) > 3);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mapping__well_known_headers_are_recognised),
        cmocka_unit_test(test_mapping__says_what_is_missing),
        cmocka_unit_test(test_mapping__the_user_decides),
        cmocka_unit_test(test_mapping__wrong_wishes_are_refused),
        cmocka_unit_test(test_layouts__names_are_not_ambiguous),
        cmocka_unit_test(test_layouts__every_role_has_a_meaning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
