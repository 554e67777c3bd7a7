#include "base/scoped.h"
#include "tests/support/alloc_loop.h"
#include "tests/support/file_case.h"
#include "tests/support/scratch.h"
#include "tests/support/test.h"

#include <stdio.h>

/* Settings for data/t.csv with one or more entries of --map. */
#define SETTINGS(...)                                                                   \
    (&(const struct import_settings){                                                   \
        .path = "t.csv",                                                                \
        .map = (const struct import_map_entry[]){__VA_ARGS__},                          \
        .map_count = (int64_t)(sizeof((const struct import_map_entry[]){__VA_ARGS__}) / \
                               sizeof(struct import_map_entry))})

static void check(const char *text, const char *expected) {
    file_case_check(&import_table, NULL, text, expected);
}

static void check_with(const struct import_settings *settings, const char *text,
                       const char *expected) {
    file_case_check(&import_table, settings, text, expected);
}

/* What is told at the end, apart from the columns. */
static void check_notes(const char *text, const char *expected) {
    SCOPED(strbuf) struct strbuf notes = STRBUF_INIT(65536);
    struct error err = ERROR_INIT;
    const struct file_case run = {
        .format = &import_table, .settings = &file_case_settings, .text = text, .notes = &notes};
    assert_ok(file_case_run(&run, &err), &err);
    assert_string_equal(strbuf_text(&notes), expected);
}

/* ---- texts ---- */

static void test_texts__pairs_keep_all_that_is_said_of_them(void **state) {
    (void)state;
    check("prompt,chosen,rejected,annotator,population,weight,margin,topic,aspect,time,"
          "chosen_model,rejected_model\n"
          "Tea?,Yes.,No.,ann,experts,2,0.5,drinks,tone,2023-11-14T22:13:20Z,gpt,llama\n"
          "\"Say \"\"a, b\"\"\",\" x \",,,,1,,,,,,\n",
          "2 comparison 'Tea?' #drinks | 1 'Yes.' ~gpt | 2 'No.' ~llama by ann (experts) aspect "
          "tone weight 2 margin 0.5 at 1700000000000\n"
          "3 comparison 'Say \"a, b\"' | 1 ' x ' | 2 ''\n");
}

static void test_texts__winners_in_many_words(void **state) {
    (void)state;
    check("prompt\tresponse_a\tresponse_b\twinner\n"
          "p\tx\ty\ta\np\tx\ty\tB\np\tx\ty\t1\np\tx\ty\t2\np\tx\ty\t0\np\tx\ty\t=\n"
          "p\tx\ty\tTie\np\tx\ty\tdraw\np\tx\ty\tequal\np\tx\ty\tmodel_a\np\tx\ty\tresponse_b\n"
          "p\tx\ty\ty\np\tx\tx\ttie (bothbad)\n",
          "2 comparison 'p' | 1@1 'x' | 2@2 'y'\n3 comparison 'p' | 2@1 'x' | 1@2 'y'\n"
          "4 comparison 'p' | 1@1 'x' | 2@2 'y'\n5 comparison 'p' | 2@1 'x' | 1@2 'y'\n"
          "6 comparison 'p' | 1@1 'x' | 1@2 'y'\n7 comparison 'p' | 1@1 'x' | 1@2 'y'\n"
          "8 comparison 'p' | 1@1 'x' | 1@2 'y'\n9 comparison 'p' | 1@1 'x' | 1@2 'y'\n"
          "10 comparison 'p' | 1@1 'x' | 1@2 'y'\n11 comparison 'p' | 1@1 'x' | 2@2 'y'\n"
          "12 comparison 'p' | 2@1 'x' | 1@2 'y'\n13 comparison 'p' | 2@1 'x' | 1@2 'y'\n"
          "14 comparison 'p' | 1@1 'x' | 1@2 'x'\n");
}

static void test_texts__scores_wins_labels_and_ratings(void **state) {
    (void)state;
    check("prompt,response_a,response_b,score_a,score_b\np,x,y,0.5,2\np,x,y,1,1.0\n",
          "2 comparison 'p' | 2@1 'x' | 1@2 'y' margin 1.5\n"
          "3 comparison 'p' | 1@1 'x' | 1@2 'y' margin 0\n");
    check("prompt,response_a,response_b,winner_model_a,winner_model_b,winner_tie\n"
          "p,x,y,0,1,0\np,x,y,0,0,1\n",
          "2 comparison 'p' | 2@1 'x' | 1@2 'y'\n3 comparison 'p' | 1@1 'x' | 1@2 'y'\n");
    check("prompt,completion,label,model\np,x,true,gpt\np,y,0,\n",
          "2 label 'p' | 'x' ~gpt good\n3 label 'p' | 'y' bad\n");
    check("prompt,response,rating,rater\np,x,4.5,ann\np,y,NA,bob\n",
          "2 rating 'p' | 'x' value 4.5 by ann\n");
}

static void test_texts__without_a_prompt_the_topic_stands_for_it(void **state) {
    (void)state;
    check("#id\tlabel\ta1\ta2\ni1\ta2\tx \"q\"\ty\n",
          "2 comparison 't' #t | 2@1 'x \"q\"' | 1@2 'y'\n");
    check("topic,chosen,rejected\ntea,x,y\n,x,y\n",
          "2 comparison 'tea' #tea | 1 'x' | 2 'y'\n3 comparison 't' #t | 1 'x' | 2 'y'\n");
    const struct import_settings prompt = {.path = "t.csv", .prompt = "", .topic = "T"};
    check_with(&prompt, "chosen,rejected\nx,y\n", "2 comparison '' #T | 1 'x' | 2 'y'\n");
    const struct import_settings topic = {.path = "t.csv", .topic = "T"};
    check_with(&topic, "chosen,rejected\nx,y\n", "2 comparison 'T' #T | 1 'x' | 2 'y'\n");
    check_notes("chosen,rejected\nx,y\n",
                "read as a chosen and a rejected text: chosen 'chosen', rejected 'rejected'\n"
                "no column for the prompt: the topic stands for it; --prompt TEXT sets another\n");
}

static void test_texts__votes_are_a_comparison_each(void **state) {
    (void)state;
    check(
        "prompt,response_a,response_b,votes(who:choice:more)\n"
        "p,x,y,w1:1:0.3:none;w2:=;w3:2:\np,x,y,w1:a;\np,x,y,\n",
        "2 comparison 'p' | 1@1 'x' | 2@2 'y' by w1\n2 comparison 'p' | 1@1 'x' | 1@2 'y' by w2\n"
        "2 comparison 'p' | 2@1 'x' | 1@2 'y' by w3\n3 comparison 'p' | 1@1 'x' | 2@2 'y' by w1\n");
    check_notes("prompt,response_a,response_b,votes\np,x,y,NA\n",
                "read as two texts and everybody's votes: prompt 'prompt', response_a "
                "'response_a', response_b 'response_b', votes 'votes'\n"
                "1 rows without a rating or vote left out\n");
}

static void test_texts__ids_are_looked_up(void **state) {
    struct scratch *scratch = *state;
    scratch_write(scratch, "args.jsonl",
                  "{\"id\": \"a1\", \"text\": \"One.\", \"author\": \"ann\", \"topic\": \"T\"}\n"
                  "{\"id\": \"a2\", \"text\": \"Two.\"}\n");
    const struct import_settings settings = {.path = "d/t.csv",
                                             .texts = scratch_path(scratch, "args.jsonl")};
    check_with(&settings, "a1_id,a2_id,votes,topic\na1, a2,w:1,\na2,a1,w:=,side\n",
               "2 comparison 'T' #T | 1@1 'One.' ~ann | 2@2 'Two.' by w\n"
               "3 comparison 'side' #side | 1@1 'Two.' | 1@2 'One.' ~ann by w\n");
    SCOPED(strbuf) struct strbuf message = STRBUF_INIT(4096);
    strbuf_addf(&message, "! d/t.csv:2:4: a2_id = 'a3': no such id in '%s'", settings.texts);
    check_with(&settings, "a1_id,a2_id,votes\na1,a3,w:1\n", strbuf_text(&message));
}

/* ---- items ---- */

static void test_items__matches_with_places_and_neutral_ground(void **state) {
    (void)state;
    check("date,home_team,away_team,home_score,away_score,neutral\n"
          "1872-11-30,Scotland,England,0,0,FALSE\n2000-01-01, Wales ,England,1,3,TRUE\n"
          "NA,Wales,England,2,0,false\n",
          "2 comparison {t} | 1@1 'Scotland' | 1@2 'England' margin 0 at -3063744000000\n"
          "3 comparison {t} | 2 'Wales' | 1 'England' margin 2 at 946684800000\n"
          "4 comparison {t} | 1@1 'Wales' | 2@2 'England' margin 2\n");
    check("home.team,away.team,home.wins,away.wins\nA,B,4,3\n",
          "2 comparison {t} | 1@1 'A' | 2@2 'B' weight 4\n"
          "2 comparison {t} | 2@1 'A' | 1@2 'B' weight 3\n");
    check("home,away,winner\nA,B,H\nA,B,a\nA,B,D\nA,B,B\n",
          "2 comparison {t} | 1@1 'A' | 2@2 'B'\n3 comparison {t} | 2@1 'A' | 1@2 'B'\n"
          "4 comparison {t} | 1@1 'A' | 1@2 'B'\n5 comparison {t} | 2@1 'A' | 1@2 'B'\n");
}

static void test_items__unplayed_matches_are_told(void **state) {
    (void)state;
    check_notes("home_team,away_team,home_score,away_score\nA,B,NA,NA\nA,B,,\nA,B,1,0\n",
                "read as two sides of a match and their scores: home 'home_team', away "
                "'away_team', score_a 'home_score', score_b 'away_score'\n"
                "2 rows without scores left out\n");
}

static void test_items__counts_become_weights(void **state) {
    (void)state;
    check(
        "i,j,r_ij,w_ij,w_ji,t_ij\n1,2,57,19,22,16\n1,3,2,2,0,0\n",
        "2 comparison {t} | 1 '1' | 2 '2' weight 19\n2 comparison {t} | 2 '1' | 1 '2' weight 22\n"
        "2 comparison {t} | 1 '1' | 1 '2' weight 16\n3 comparison {t} | 1 '1' | 2 '3' weight 2\n");
    check("item_a,item_b,wins_a,wins_b,weight\nx,y,2,1,0.5\n",
          "2 comparison {t} | 1 'x' | 2 'y'\n2 comparison {t} | 2 'x' | 1 'y' weight 0.5\n");
    check("i,j,r_ij,w_ij,w_ji,t_ij\n1,2,58,19,22,16\n",
          "! t.csv:2:5: r_ij = '58': wins and ties add up to 57");
}

static void test_items__the_diagonal_of_a_matrix_is_left_out(void **state) {
    (void)state;
    check("cited,citing,count\nJ,J,714\nK,J,33\nJ,K,0\n",
          "3 comparison {t} | 1 'K' | 2 'J' weight 33\n");
    check_notes("cited,citing,count\nJ,J,714\nK,J,33\nJ,K,0\n",
                "read as the item that won and the one that lost: winner 'cited', loser 'citing', "
                "weight 'count'\n"
                "1 counts of an item against itself left out\n1 rows of weight 0 left out\n");
    check("item_a,item_b,wins_a,wins_b\nx,x,2,1\n", "");
    check("winner,loser\nJ, J\n",
          "! t.csv:2:3: loser = ' J': the same as winner: an item is not compared with itself");
    check("home_team,away_team,home_score,away_score\nA,A,1,0\n",
          "! t.csv:2:3: away_team = 'A': the same as home_team: an item is not compared with "
          "itself");
}

static void test_items__votes_of_an_assessor(void **state) {
    (void)state;
    check("assessor,bottom_item,top_item\n1,2,15\n", "2 comparison {t} | 1 '15' | 2 '2' by 1\n");
    const struct import_settings named = {.path = "t.csv", .name = "beaches", .topic = "sea"};
    check_with(&named, "winner,loser\na,b\n", "2 comparison {beaches} #sea | 1 'a' | 2 'b'\n");
    check_with(SETTINGS({"set", "league"}), "winner,loser,league\na,b,east\na,c,west\n",
               "2 comparison {east} | 1 'a' | 2 'b'\n3 comparison {west} | 1 'a' | 2 'c'\n");
    check_with(SETTINGS({"set", "league"}), "winner,loser,league\na,b,\n",
               "! t.csv:2:5: league = '': expected the name of a set of items");
}

static void test_items__a_number_may_be_a_name_or_a_code(void **state) {
    (void)state;
    check("item_a,item_b,winner\n1,2,1\n3,4,1\n3,4,3\n3,4,2\n",
          "2 comparison {t} | 1 '1' | 2 '2'\n3 comparison {t} | 1 '3' | 2 '4'\n"
          "4 comparison {t} | 1 '3' | 2 '4'\n5 comparison {t} | 2 '3' | 1 '4'\n");
    check("item_a,item_b,winner\n2,1,1\n",
          "! t.csv:2:5: winner = '1': the name of one side and the code of the other; say which "
          "with --map winner_name=winner, or write a and b");
    check_with(SETTINGS({"winner_name", "winner"}), "item_a,item_b,winner\n2,1,1\n2,1,tie\n",
               "2 comparison {t} | 2 '2' | 1 '1'\n3 comparison {t} | 1 '2' | 1 '1'\n");
    check_with(SETTINGS({"winner_name", "winner"}), "item_a,item_b,winner\n0,1,0\n",
               "2 comparison {t} | 1 '0' | 2 '1'\n");
    check_with(SETTINGS({"winner_name", "winner"}), "item_a,item_b,winner\n2,1,0\n",
               "! t.csv:2:5: winner = '0': expected one of the two names, or tie");
    check_with(SETTINGS({"winner_name", "winner"}), "item_a,item_b,winner\n3,4,1\n",
               "! t.csv:2:5: winner = '1': expected one of the two names, or tie");
}

static void test_items__zero_and_one_must_be_explained(void **state) {
    (void)state;
    check("item_a,item_b,winner\nx,y,0\nx,y,1\n",
          "! t.csv: winner is 0 in 1 places and never 2: if 0 and 1 are the first and the second, "
          "say --map winner_index=winner; if 0 is a tie, write 'tie'");
    check_with(SETTINGS({"winner_index", "winner"}), "item_a,item_b,winner\nx,y,0\nx,y,1\nx,y,=\n",
               "2 comparison {t} | 1 'x' | 2 'y'\n3 comparison {t} | 2 'x' | 1 'y'\n"
               "4 comparison {t} | 1 'x' | 1 'y'\n");
    check_with(SETTINGS({"winner_index", "winner"}), "item_a,item_b,winner\nx,y,2\n",
               "! t.csv:2:5: winner = '2': expected 0, 1 or tie");
}

/* ---- rankings ---- */

static void test_rankings__wide_ones_end_in_empty_cells(void **state) {
    (void)state;
    check("race,rank1,rank3,rank2\n1,a,c,b\n2,a,,b\n3,a,NA,b\n4,a,0,b\n",
          "2 comparison {t} | 1 'a' | 2 'b' | 3 'c'\n3 comparison {t} | 1 'a' | 2 'b'\n"
          "4 comparison {t} | 1 'a' | 2 'b'\n5 comparison {t} | 1 'a' | 2 'b'\n");
    check_with(SETTINGS({"ranking", "place *"}, {"annotator", "who"}),
               "who,place 1,place 2\nann,x,y\n", "2 comparison {t} | 1 'x' | 2 'y' by ann\n");
    check("prompt,rank1,rank2\nTea?,x,x\n", "2 comparison 'Tea?' | 1 'x' | 2 'x'\n");
    check_notes("race,rank1,rank2\n1,a,\n2,,\n",
                "read as items in order, the best first: ranking 'rank1' and 1 more, ranking_id "
                "'race'\n2 rankings of fewer than two left out\n");
}

static void test_rankings__wide_ones_have_no_gaps_and_no_repeats(void **state) {
    (void)state;
    check("rank1,rank2,rank3\na,,c\n",
          "! t.csv:2:3: rank2 = '': expected an item, since others follow");
    check("rank1,rank2,rank3\na,b, a\n", "! t.csv:2:5: rank3 = ' a': the same item as in rank1");
    check("rank1,rank2,rank3\n1,0,2\n0,1,2\n",
          "2 comparison {t} | 1 '1' | 2 '0' | 3 '2'\n3 comparison {t} | 1 '0' | 2 '1' | 3 '2'\n");
    check("rank1,rank2,rank3\n1,0,2\n1,2,0\n",
          "! t.csv: 0 stands at the end of 1 rankings and before other items in 1: if 0 is an "
          "item, leave cells without one empty and give it another name");
}

static void test_rankings__long_ones_are_grouped(void **state) {
    (void)state;
    check("race,item,rank,annotator\nr1,a,2,ann\nr1,b,1,ann\nr1,c,2,ann\nr2,a,5,\nr2,b,3,\n",
          "2 comparison {t} | 2 'a' | 1 'b' | 2 'c' by ann\n"
          "5 comparison {t} | 3 'a' | 1 'b'\n");
    check("ballot,prompt,completion,rank,model\n1,p,x,1,gpt\n1,p,x,2,llama\n2,q,z,1,\n2,q,y,0,\n",
          "2 comparison 'p' | 1 'x' ~gpt | 2 'x' ~llama\n4 comparison 'q' | 2 'z' | 1 'y'\n");
    check_notes("race,item,rank\nr1,a,2\nr2,b,1\n",
                "read as items of a ranking, a row each: ranking_id 'race', item 'item', rank "
                "'rank'\n2 rankings of fewer than two left out\n");
}

static void test_rankings__long_ones_must_hang_together(void **state) {
    (void)state;
    check("race,item,rank\nr1,a,1\nr1,a,2\n",
          "! t.csv:3:4: item = 'a': this item is in the ranking already");
    check("race,item,rank\nr1,a,1\nr1,b,2\nr2,a,1\nr1,c,3\n",
          "! t.csv:5:1: race = 'r1': this ranking has ended further up: its rows must follow one "
          "another; sort the file by it");
    check("race,item,rank,annotator\nr1,a,1,ann\nr1,b,2,bob\n",
          "! t.csv:3:1: race = 'r1': this ranking has another prompt, annotator, aspect or weight "
          "in line 2");
    check("race,item,rank\nr1,a,1.5\n",
          "! t.csv:2:6: rank = '1.5': expected a whole number up to 1000000000");
    check("race,item,rank\n,a,1\n",
          "! t.csv:2:1: race = '': expected which ranking the row belongs to");
}

/* A bad row in between costs neither the ranking before it nor the one it is in. */
static void test_rankings__a_bad_row_leaves_the_others(void **state) {
    (void)state;
    SCOPED(strbuf) struct strbuf out = STRBUF_INIT(65536);
    struct error err = ERROR_INIT;
    const struct file_case run = {
        .format = &import_table,
        .settings = &file_case_settings,
        .text = "race,item,rank\nr1,a,1\nr1,b,2\nr2,a,x\nr2,b,1\nr2,c,2\nr2,d,z\nr2,e,3\n",
        .skip_bad = true,
        .out = &out,
    };
    assert_ok(file_case_run(&run, &err), &err);
    assert_string_equal(strbuf_text(&out), "! t.csv:4:6: rank = 'x': expected a number\n"
                                           "2 comparison {t} | 1 'a' | 2 'b'\n"
                                           "! t.csv:7:6: rank = 'z': expected a number\n"
                                           "5 comparison {t} | 1 'b' | 2 'c' | 3 'e'\n");
}

static void test_ratings__a_matrix_either_way(void **state) {
    (void)state;
    check_with(SETTINGS({"item", "film"}, {"ratings", "*"}),
               "film,ann,bob\nAlien,5,\nBabe,3,-1.5\n",
               "2 rating {t} | 'Alien' value 5 by ann\n3 rating {t} | 'Babe' value 3 by ann\n"
               "3 rating {t} | 'Babe' value -1.5 by bob\n");
    check_with(SETTINGS({"annotator", "who"}, {"population", "age"}, {"ratings", "*"}),
               "who,Alien,Babe,age\nann,5,,old\nbob,NA,nan,young\n",
               "2 rating {t} | 'Alien' value 5 by ann (old)\n");
    check_with(SETTINGS({"ratings", "f*"}), "f1,f2\n1,x\n",
               "! t.csv:2:3: f2 = 'x': expected a number");
    check_with(SETTINGS({"item", "film"}, {"ratings", "*"}), "film,ann, \nAlien,5,4\n",
               "! t.csv: column 3 of the header has ratings and no name: whose they are is not "
               "known");
    check("annotator,item,rating\nann,x,4\n", "2 rating {t} | 'x' value 4 by ann\n");
}

/* ---- cells ---- */

static void test_cells__each_bad_one_is_named(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"prompt,response_a,response_b,winner\np,x,x,x\n",
         "2:7: winner = 'x': expected a, b, 1, 2, tie or a name"},
        {"item_a,item_b,winner\nx,y,z\n", "2:5: winner = 'z': expected a, b, 1, 2, tie or a name"},
        {"item_a,item_b,winner\nx,y,\n", "2:5: winner = '': expected a, b, 1, 2, tie or a name"},
        {"item_a,item_b,winner\nx,y,-1\n",
         "2:5: winner = '-1': expected a, b, 1, 2, tie or a name"},
        {"home,away,winner\nx,y,b\n", "2:5: winner = 'b': expected home, away, draw or a name"},
        {"item_a,item_b,winner\nx,  ,a\n", "2:3: item_b = '  ': expected the name of an item"},
        {"item_a,item_b,score_a,score_b\nx,y,1,\n",
         "2:7: score_b = '': expected a number, since the other side has a score"},
        {"item_a,item_b,score_a,score_b\nx,y,one,2\n", "2:5: score_a = 'one': expected a number"},
        {"item_a,item_b,score_a,score_b\nx,y,1e999,2\n",
         "2:5: score_a = '1e999': expected a number"},
        {"item_a,item_b,score_a,score_b\nx,y,inf,2\n", "2:5: score_a = 'inf': expected a number"},
        {"item_a,item_b,wins_a,wins_b\nx,y,-1,2\n",
         "2:5: wins_a = '-1': expected a number, 0 or greater"},
        {"item_a,item_b,wins_a,wins_b\nx,y,NA,2\n",
         "2:5: wins_a = 'NA': expected a number, 0 or greater"},
        {"winner,loser,weight\nx,y,\n", "2:5: weight = '': expected a number, 0 or greater"},
        {"winner,loser,margin\nx,y,big\n", "2:5: margin = 'big': expected a number"},
        {"winner,loser,date\nx,y,May\n",
         "2:5: date = 'May': expected a time such as 2023-04-05, 2023-04-05T06:07:08Z or seconds "
         "since 1970"},
        {"winner,loser,date\nx,y,1999\n",
         "2:5: date = '1999': expected a time such as 2023-04-05, 2023-04-05T06:07:08Z or seconds "
         "since 1970"},
        {"home,away,winner,neutral\nx,y,h,maybe\n",
         "2:7: neutral = 'maybe': expected true or false"},
        {"prompt,completion,label\np,x,0.5\n", "2:5: label = '0.5': expected true or false"},
        {"winner,loser,annotator,population\nx,y,,old\n",
         "2:5: annotator = '': expected who belongs to population 'old'"},
        {"prompt,response_a,response_b,votes\np,x,y,w1:1;w2\n",
         "2:7: votes = 'w1:1;w2': vote 'w2': expected annotator:choice"},
        {"prompt,response_a,response_b,votes\np,x,y,:1\n",
         "2:7: votes = ':1': vote ':1': expected annotator:choice"},
        {"prompt,response_a,response_b,votes\np,x,y,w:3\n",
         "2:7: votes = 'w:3': vote 'w:3': expected a choice of a, b, 1, 2, tie or ="},
        {"prompt,response_a,response_b,votes\np,x,y,w:1;;v:1\n",
         "2:7: votes = 'w:1;;v:1': vote '': expected annotator:choice"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        SCOPED(strbuf) struct strbuf expected = STRBUF_INIT(4096);
        strbuf_addf(&expected, "! t.csv:%s", cases[i].message);
        check(cases[i].text, strbuf_text(&expected));
    }
}

/* A refused row leaves nothing that the next one would find. */
static void test_cells__the_place_is_that_of_the_cell(void **state) {
    (void)state;
    check("prompt,response_a,response_b,winner\n\"a\nb\",x,\"y\nz\",q\n",
          "! t.csv:4:4: winner = 'q': expected a, b, 1, 2, tie or a name");
}

static void test_table__is_recognised_by_its_header(void **state) {
    (void)state;
    char why[IMPORT_WHY_BYTES];
    assert_string_equal(file_case_recognise(&import_table, NULL, "winner,loser\n", why),
                        "the columns are the item that won and the one that lost");
    assert_string_equal(file_case_recognise(&import_table, NULL, "one,two\n", why), "");
    assert_string_equal(file_case_recognise(&import_table,
                                            SETTINGS({"winner", "one"}, {"loser", "two"}),
                                            "one,two\n", why),
                        "the columns are the item that won and the one that lost");
}

/* ---- failures ---- */

struct loop {
    const char *text;
    const struct import_settings *settings;
};

static enum err_code read_loop(void *context, struct error *err) {
    const struct loop *loop = context;
    const struct file_case run = {
        .format = &import_table, .settings = loop->settings, .text = loop->text};
    return file_case_run(&run, err);
}

static void test_table__survives_failing_memory(void **state) {
    struct scratch *scratch = *state;
    scratch_write(scratch, "names", "id,name\n1,Ann\n2,Bob\n");
    const struct import_settings texts = {.path = "t.csv", .texts = scratch_path(scratch, "names")};
    struct loop loops[] = {
        {"prompt,response_a,response_b,votes\np,x,y,w1:1;w2:2\n", &file_case_settings},
        {"race,rank1,rank2\n1,a,b\n", &file_case_settings},
        {"race,rank1,rank2\n1,1,2\n", &texts},
        {"race,item,rank\nr1,a,1\nr1,b,2\nr2,a,1\nr2,c,2\nr3,a,1\nr3,d,2\n", &file_case_settings},
        {"film,ann,bob\nAlien,5,\n", SETTINGS({"item", "film"}, {"ratings", "*"})},
    };
    for (size_t i = 0; i < sizeof loops / sizeof loops[0]; i++) {
        alloc_loop_check(read_loop, &loops[i]);
    }
}

/* Two hundred rankings: the set of those that have ended grows several times. */
static void test_rankings__many_long_ones(void **state) {
    (void)state;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT((size_t)1 << 20);
    SCOPED(strbuf) struct strbuf expected = STRBUF_INIT((size_t)1 << 20);
    strbuf_add(&text, "race,item,rank\n");
    for (int i = 0; i < 200; i++) {
        strbuf_addf(&text, "r%d,a,1\nr%d,b,2\n", i, i);
        strbuf_addf(&expected, "%d comparison {t} | 1 'a' | 2 'b'\n", 2 * i + 2);
    }
    check(strbuf_text(&text), strbuf_text(&expected));
    strbuf_add(&text, "r77,a,1\n");
    check(strbuf_text(&text),
          "! t.csv:402:1: race = 'r77': this ranking has ended further up: its rows must follow "
          "one another; sort the file by it");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts__pairs_keep_all_that_is_said_of_them),
        cmocka_unit_test(test_texts__winners_in_many_words),
        cmocka_unit_test(test_texts__scores_wins_labels_and_ratings),
        cmocka_unit_test(test_texts__without_a_prompt_the_topic_stands_for_it),
        cmocka_unit_test(test_texts__votes_are_a_comparison_each),
        SCRATCH_TEST(test_texts__ids_are_looked_up),
        cmocka_unit_test(test_items__matches_with_places_and_neutral_ground),
        cmocka_unit_test(test_items__unplayed_matches_are_told),
        cmocka_unit_test(test_items__counts_become_weights),
        cmocka_unit_test(test_items__the_diagonal_of_a_matrix_is_left_out),
        cmocka_unit_test(test_items__votes_of_an_assessor),
        cmocka_unit_test(test_items__a_number_may_be_a_name_or_a_code),
        cmocka_unit_test(test_items__zero_and_one_must_be_explained),
        cmocka_unit_test(test_rankings__wide_ones_end_in_empty_cells),
        cmocka_unit_test(test_rankings__wide_ones_have_no_gaps_and_no_repeats),
        cmocka_unit_test(test_rankings__long_ones_are_grouped),
        cmocka_unit_test(test_rankings__long_ones_must_hang_together),
        cmocka_unit_test(test_rankings__a_bad_row_leaves_the_others),
        cmocka_unit_test(test_rankings__many_long_ones),
        cmocka_unit_test(test_ratings__a_matrix_either_way),
        cmocka_unit_test(test_cells__each_bad_one_is_named),
        cmocka_unit_test(test_cells__the_place_is_that_of_the_cell),
        cmocka_unit_test(test_table__is_recognised_by_its_header),
        SCRATCH_TEST(test_table__survives_failing_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
