/* check_findings.h - everything that `accord check` looks for: one entry each.
 *
 * Use:      included by data/check.h, which makes an enum and a table of it.
 * Entry:    X(name, key, severity, unit, title, effect on training, remedy). The key is what users
 *           type and programs read: keys are only ever added. The effect and the remedy are
 *           clauses without a full stop.
 * Threads:  constant.
 */
#ifndef DATA_CHECK_FINDINGS_H
#define DATA_CHECK_FINDINGS_H

#define CHECK_FINDINGS(X)                                                                          \
    X(CONTRADICTION, "contradiction", ERROR, COMPARISONS,                                          \
      "contradictions of an annotator with themselves",                                            \
      "the two verdicts cancel out: they pull the same pair in opposite directions and teach "     \
      "nothing",                                                                                   \
      "ask again, or drop one of the two rows")                                                    \
    X(IDENTICAL_PAIR, "identical-pair", ERROR, COMPARISONS, "comparisons of a text with itself",   \
      "the gradient of a pair with itself is zero for most losses, and noise for the rest",        \
      "drop these rows")                                                                           \
    X(EMPTY_ANSWER, "empty-answer", ERROR, ANSWERS, "empty answers",                               \
      "a chosen one teaches the model to say nothing, a rejected one that any words are better",   \
      "drop these rows, or find the lost text")                                                    \
    X(SPLIT_LEAK, "split-leak", ERROR, TEST_PROMPTS,                                               \
      "prompts that also stand in the training split, but for case and blanks",                    \
      "held-out accuracy is too good: the model has seen the question",                            \
      "write these prompts alike, so that they fall into one split, or drop one of them")          \
    X(OPTED_OUT, "opted-out", ERROR, ANSWERS,                                                      \
      "answers taken from works whose owner has opted out",                                        \
      "the model would be trained on what its owner has forbidden", "drop these rows")             \
    X(EMPTY_PROMPT, "empty-prompt", WARNING, PROMPTS, "empty prompts",                             \
      "the model learns to answer without a question; often the prompt was lost on the way",       \
      "check the mapping of the import; give --prompt if all rows answer one question")            \
    X(NEAR_LEAK, "near-leak", WARNING, TEST_PROMPTS,                                               \
      "prompts that nearly stand in the training split",                                           \
      "held-out accuracy is too good: the model has seen almost the same question",                \
      "drop one of the two, or judge the score without them")                                      \
    X(ANSWER_LEAK, "answer-leak", WARNING, TEST_ANSWERS,                                           \
      "answers of eight words or more that are also answers to a training prompt",                 \
      "a reward model may recognise the answer instead of judging it",                             \
      "drop one of the two, or judge the score without them")                                      \
    X(REPEATED_JUDGEMENT, "repeated-judgement", WARNING, COMPARISONS,                              \
      "judgements that one file holds again",                                                      \
      "they count twice, so intervals are too narrow and this judge's word weighs too much",       \
      "drop the copies, or state the number as a weight; if several unnamed people agreed, name "  \
      "them")                                                                                      \
    X(TWO_SOURCES, "two-sources", WARNING, COMPARISONS, "judgements that another file holds too",  \
      "they count twice, so intervals are too narrow", "import only one of the two files")         \
    X(CONTEXT_DIFFERS, "context-differs", WARNING, COMPARISONS,                                    \
      "comparisons that differ before the last answer",                                            \
      "the two answers belong to different conversations, so what is learnt is not only their "    \
      "quality",                                                                                   \
      "drop these rows unless whole conversations are meant to be compared")                       \
    X(REPLACEMENT_CHARACTER, "replacement-character", WARNING, TEXTS,                              \
      "texts with U+FFFD, where a decoder gave up", "the model learns to write it",                \
      "convert the original again with the right encoding")                                        \
    X(MOJIBAKE, "mojibake", WARNING, TEXTS, "texts with UTF-8 that was decoded twice",             \
      "the model learns to write broken letters",                                                  \
      "convert the original again: it was UTF-8, and was read as Windows-1252 or Latin-1")         \
    X(BYTE_ORDER_MARK, "byte-order-mark", WARNING, TEXTS, "texts with a byte order mark inside",   \
      "an invisible token that differs between otherwise equal texts", "remove U+FEFF")            \
    X(CONTROL_CHARACTER, "control-character", WARNING, TEXTS, "texts with control characters",     \
      "the model learns to write them; terminals and pages may hide or turn text around",          \
      "remove them; tab and line ends are fine")                                                   \
    X(CHAT_MARKUP, "chat-markup", WARNING, TEXTS, "texts with markup of a chat template",          \
      "the template is applied twice, and the model learns to write turns of the user",            \
      "import with the format that takes it apart (--format hh for transcripts), or remove it")    \
    X(LONG_ROW, "long-row", WARNING, ANSWERS,                                                      \
      "answers that are very long together with their prompt",                                     \
      "they are cut or dropped at the maximum length, and one of them may fill a whole batch",     \
      "raise --long-bytes if the model's context is long enough, or drop them")                    \
    X(ONE_SIDED_ANNOTATOR, "one-sided-annotator", WARNING, ANNOTATORS,                             \
      "annotators who nearly always choose the same side",                                         \
      "their votes say nothing about the answers and dilute those that do",                        \
      "leave them out, or fit annotator reliability")                                              \
    X(CHANCE_ANNOTATOR, "chance-annotator", WARNING, ANNOTATORS,                                   \
      "annotators who agree with the others no better than a coin",                                \
      "their votes are noise, and pull rewards towards zero",                                      \
      "leave them out, or fit annotator reliability")                                              \
    X(UNCONNECTED_ITEMS, "unconnected-items", WARNING, PROMPTS,                                    \
      "sets of items that fall into parts never compared with each other",                         \
      "no reward can say which part is better: maximum likelihood does not exist",                 \
      "compare across the parts, fit them apart, or regularise")                                   \
    X(ITEM_SPELLING, "item-spelling", WARNING, ITEMS,                                              \
      "items whose name is another's but for case and blanks",                                     \
      "one item's record is split over two", "write the name alike everywhere")                    \
    X(LABEL_CONFLICT, "label-conflict", WARNING, ANSWERS,                                          \
      "answers that the same annotator calls both good and bad", "the two labels cancel out",      \
      "ask again, or drop one of the two rows")                                                    \
    X(RATING_SCALE, "rating-scale", WARNING, RATINGS, "ratings outside their own scale",           \
      "they pull a fit harder than any rating that was allowed",                                   \
      "check the mapping of the import")                                                           \
    X(NEAR_PROMPT, "near-prompt", NOTE, PROMPTS, "prompts that nearly repeat an earlier one",      \
      "the same question counts several times; a tabular reward does not see that it is the same", \
      "write them alike if they are meant to be the same")                                         \
    X(NEAR_ANSWER, "near-answer", NOTE, ANSWERS,                                                   \
      "answers that nearly repeat another answer to the same prompt",                              \
      "such pairs are hard to tell apart, so their labels are noisy",                              \
      "drop them if they were not made on purpose")                                                \
    X(SAME_ANSWER, "same-answer", NOTE, ANSWERS,                                                   \
      "answers of eight words or more that were given to another prompt before",                   \
      "a phrase such as a standard refusal is learnt whatever was asked",                          \
      "look whether it is a template, and whether so many are wanted")                             \
    X(PREFIX_ANSWER, "prefix-answer", NOTE, ANSWERS,                                               \
      "answers that are the beginning of another answer to the same prompt",                       \
      "if they were cut off, what is learnt is that answers should be longer",                     \
      "look whether they were cut by a length limit")                                              \
    X(DISAGREEMENT, "disagreement", NOTE, REPEATED_PAIRS,                                          \
      "verdicts against the majority of a pair's verdicts",                                        \
      "nothing bad: it is what people disagree about, and a fit should keep it",                   \
      "compare with 'accord stats', which says how much of it is more than noise")                 \
    X(UNCONNECTED_ANSWERS, "unconnected-answers", NOTE, PROMPTS,                                   \
      "prompts whose answers fall into parts never compared with each other",                      \
      "a tabular reward cannot tell the parts apart; one that reads the text can",                 \
      "nothing, unless a tabular reward is wanted")                                                \
    X(NO_ESTIMATE, "no-estimate", NOTE, PROMPTS,                                                   \
      "prompts with three or more compared answers, some of which won or lost against all the "    \
      "rest",                                                                                      \
      "maximum likelihood puts them at infinity: a tabular fit must be regularised",               \
      "nothing: 'accord reward fit' regularises by default")                                       \
    X(FEW_JUDGEMENTS, "few-judgements", NOTE, ANNOTATORS,                                          \
      "annotators with fewer than five comparisons", "their reliability cannot be told from luck", \
      "nothing, or group them as a population")                                                    \
    X(WEIGHT_RANGE, "weight-range", NOTE, COMPARISONS,                                             \
      "comparisons that weigh more than 100 or less than 1/100",                                   \
      "a few rows decide the fit, or have no say",                                                 \
      "check the column that was taken for the weight")                                            \
    X(SINGLE_ANSWER, "single-answer", NOTE, PROMPTS, "prompts with a single rated answer",         \
      "no pair can be formed, so they do not take part in preference training",                    \
      "nothing, or use them as labels")

#endif
