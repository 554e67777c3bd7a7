-- schema.sql - the project file, version 1. SQLite 3.40, STRICT tables, foreign keys on.
--
-- Times are Unix milliseconds, UTC. Hashes are SHA-256 (32 bytes) where others must be able to
-- recompute them from files, and hash_key (16 bytes, base/hash.h) where they only find equal
-- content again. NULL means "not known", never zero or "none".
--
-- Rows are added by one writer and one file at a time, so ids grow with time, and what came from
-- one source has neighbouring ids in every table, in the order of its lines: no index by source.

-- ---- where rows came from ----

CREATE TABLE source (
    id          INTEGER PRIMARY KEY,
    path        TEXT NOT NULL,      -- as given on the command line
    sha256      BLOB NOT NULL CHECK (length(sha256) = 32), -- of the file as it lay on the disk
    bytes       INTEGER NOT NULL CHECK (bytes >= 0), -- size of that file
    format      TEXT NOT NULL,      -- name of the importer: 'trl', 'hh', ...
    mapping     TEXT NOT NULL,      -- options that changed what was read, as JSON; '{}' if none
    rows        INTEGER NOT NULL CHECK (rows >= 0), -- rows of the file, rejected ones included
    rejected    INTEGER NOT NULL CHECK (rejected BETWEEN 0 AND rows), -- left out (--skip-bad)
    imported_at INTEGER NOT NULL,   -- ms
    UNIQUE (sha256, format, mapping)
) STRICT;

CREATE TABLE annotator (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE, -- as in the data
    population TEXT                  -- group of people it belongs to
) STRICT;

-- ---- what was asked and answered ----

-- kind 'text':  content is the prompt, plain text
--      'chat':  content is a JSON array of {"role": ..., "content": ...}
--      'items': content names a set of things compared as such, without a prompt: teams, journals
CREATE TABLE prompt (
    id      INTEGER PRIMARY KEY,
    hash    BLOB NOT NULL UNIQUE CHECK (length(hash) = 16), -- hash_key of (kind, content)
    kind    TEXT NOT NULL -- not IN: for three values it makes a table at every insert
            CHECK (kind = 'text' OR kind = 'chat' OR kind = 'items'),
    content TEXT NOT NULL,
    topic   TEXT               -- subject or task the prompt belongs to, if the data says; the first
) STRICT;

-- kind 'text': content is the answer; for a prompt of kind 'items' the name of the item
--      'chat': content is a JSON array of messages, for an answer that spans several turns
CREATE TABLE response (
    id        INTEGER PRIMARY KEY,
    prompt_id INTEGER NOT NULL REFERENCES prompt (id),
    hash      BLOB NOT NULL CHECK (length(hash) = 16), -- hash_key of (kind, content, origin)
    kind      TEXT NOT NULL CHECK (kind IN ('text', 'chat')),
    content   TEXT NOT NULL,
    origin    TEXT,            -- model or person that wrote it
    work_id   INTEGER REFERENCES work (id), -- the work it is taken from
    UNIQUE (prompt_id, hash)
) STRICT;

-- ---- what people said ----

-- One judgement that orders k >= 2 responses to one prompt.
CREATE TABLE comparison (
    id           INTEGER PRIMARY KEY,
    prompt_id    INTEGER NOT NULL REFERENCES prompt (id),
    annotator_id INTEGER REFERENCES annotator (id),
    source_id    INTEGER NOT NULL REFERENCES source (id),
    line         INTEGER NOT NULL CHECK (line >= 1), -- of the source; where its row begins
    weight       REAL NOT NULL CHECK (weight > 0), -- equal judgements that this row stands for
    margin       REAL,              -- how much better the first is, on the source's own scale
    last_unordered INTEGER NOT NULL DEFAULT 0 CHECK (last_unordered IN (0, 1)),
                                    -- 1: those of the last rank were not compared: no tie
    aspect       TEXT,              -- what was judged, where a source judges several things
    asked_at     INTEGER            -- ms
) STRICT;
CREATE INDEX comparison_prompt ON comparison (prompt_id);
CREATE INDEX comparison_annotator ON comparison (annotator_id) WHERE annotator_id IS NOT NULL;

CREATE TABLE comparison_item (
    comparison_id INTEGER NOT NULL REFERENCES comparison (id),
    slot          INTEGER NOT NULL CHECK (slot >= 0),  -- order in the source, from 0
    response_id   INTEGER NOT NULL REFERENCES response (id),
    rank          INTEGER NOT NULL CHECK (rank >= 1),  -- 1 is best; equal rank is a tie
    position      INTEGER CHECK (position >= 1),       -- order shown to the annotator, from 1
    PRIMARY KEY (comparison_id, slot)
) STRICT, WITHOUT ROWID;

-- One response judged by a number.
CREATE TABLE rating (
    id           INTEGER PRIMARY KEY,
    response_id  INTEGER NOT NULL REFERENCES response (id),
    annotator_id INTEGER REFERENCES annotator (id),
    source_id    INTEGER NOT NULL REFERENCES source (id),
    line         INTEGER NOT NULL CHECK (line >= 1),
    weight       REAL NOT NULL CHECK (weight > 0),
    value        REAL NOT NULL,  -- greater is better
    low          REAL,           -- ends of the scale; both or neither
    high         REAL,
    aspect       TEXT,
    asked_at     INTEGER,        -- ms
    CHECK ((low IS NULL) = (high IS NULL))
) STRICT;
CREATE INDEX rating_response ON rating (response_id);
CREATE INDEX rating_annotator ON rating (annotator_id) WHERE annotator_id IS NOT NULL;

-- One response judged good or bad.
CREATE TABLE label (
    id           INTEGER PRIMARY KEY,
    response_id  INTEGER NOT NULL REFERENCES response (id),
    annotator_id INTEGER REFERENCES annotator (id),
    source_id    INTEGER NOT NULL REFERENCES source (id),
    line         INTEGER NOT NULL CHECK (line >= 1),
    weight       REAL NOT NULL CHECK (weight > 0),
    good         INTEGER NOT NULL CHECK (good IN (0, 1)),
    aspect       TEXT,
    asked_at     INTEGER         -- ms
) STRICT;
CREATE INDEX label_response ON label (response_id);
CREATE INDEX label_annotator ON label (annotator_id) WHERE annotator_id IS NOT NULL;

-- One response that shows how to answer: data for supervised fine-tuning.
CREATE TABLE demonstration (
    id           INTEGER PRIMARY KEY,
    response_id  INTEGER NOT NULL REFERENCES response (id),
    annotator_id INTEGER REFERENCES annotator (id), -- who gave it
    source_id    INTEGER NOT NULL REFERENCES source (id),
    line         INTEGER NOT NULL CHECK (line >= 1),
    weight       REAL NOT NULL CHECK (weight > 0),
    asked_at     INTEGER         -- ms
) STRICT;

-- One prompt that came without any response: something to sample answers to.
CREATE TABLE prompt_only (
    id        INTEGER PRIMARY KEY,
    prompt_id INTEGER NOT NULL REFERENCES prompt (id),
    source_id INTEGER NOT NULL REFERENCES source (id),
    line      INTEGER NOT NULL CHECK (line >= 1),
    weight    REAL NOT NULL CHECK (weight > 0)
) STRICT;

-- ---- owners and works ----

CREATE TABLE owner (
    id        INTEGER PRIMARY KEY,
    name      TEXT NOT NULL UNIQUE,
    payee_ref TEXT,             -- how the payer knows who to pay: an account, a contract
    cluster   TEXT              -- owners that count as one player (replicas, one publisher)
) STRICT;

CREATE TABLE work (
    id         INTEGER PRIMARY KEY,
    owner_id   INTEGER NOT NULL REFERENCES owner (id),
    source_id  INTEGER NOT NULL REFERENCES source (id), -- where it was met first
    line       INTEGER NOT NULL CHECK (line >= 1),
    title      TEXT NOT NULL,
    sha256     BLOB NOT NULL CHECK (length(sha256) = 32), -- of its text
    bytes      INTEGER NOT NULL CHECK (bytes >= 0), -- of its text
    tokens     INTEGER,         -- once a tokenizer has counted them
    licence    TEXT,            -- SPDX identifier where there is one
    opt_out_at INTEGER,         -- ms; from then on it may not be trained on
    UNIQUE (owner_id, sha256)
) STRICT;

-- Apart, so that reading the list of works reads no texts.
CREATE TABLE work_text (
    work_id INTEGER PRIMARY KEY REFERENCES work (id),
    content TEXT NOT NULL
) STRICT;

-- ---- tabular reward models (reward/): one number per item ----

CREATE TABLE reward_fit (
    id             INTEGER PRIMARY KEY,
    name           TEXT NOT NULL UNIQUE, -- given by the user; what --reward names
    model          TEXT NOT NULL,        -- 'bradley-terry', 'davidson', ...
    config_json    TEXT NOT NULL,        -- effective options
    population     TEXT,                 -- fitted to this population only
    result_json    TEXT NOT NULL,        -- log-likelihood, deviance, degrees of freedom, warnings
    created_at     INTEGER NOT NULL      -- ms
) STRICT;

-- The items are responses, or the origins of responses; one of the two is set.
CREATE TABLE reward_item (
    fit_id      INTEGER NOT NULL REFERENCES reward_fit (id),
    item        INTEGER NOT NULL CHECK (item >= 0), -- row and column of the covariance
    response_id INTEGER REFERENCES response (id),
    origin      TEXT,
    reward      REAL NOT NULL,           -- nats; the mean over the items of a prompt is zero
    std_error   REAL,                    -- nats
    PRIMARY KEY (fit_id, item),
    CHECK ((response_id IS NULL) <> (origin IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX reward_item_response ON reward_item (response_id, fit_id);

-- What is not an item: 'log_nu', 'position', ...; with annotator_id, that annotator's 'reliability'.
CREATE TABLE reward_parameter (
    id           INTEGER PRIMARY KEY,
    fit_id       INTEGER NOT NULL REFERENCES reward_fit (id),
    name         TEXT NOT NULL,
    annotator_id INTEGER REFERENCES annotator (id),
    value        REAL NOT NULL,
    std_error    REAL
) STRICT;
CREATE INDEX reward_parameter_fit ON reward_parameter (fit_id);

-- Lower triangle by rows, float64 little-endian: items first, then parameters without annotator, by
-- id. Only where it was computed (reward/tabular_store.h).
CREATE TABLE reward_covariance (
    fit_id INTEGER PRIMARY KEY REFERENCES reward_fit (id),
    size   INTEGER NOT NULL,             -- rows of the whole matrix
    lower  BLOB NOT NULL                 -- size * (size + 1) / 2 numbers
) STRICT;

-- ---- runs and what they make ----

-- One run of a command that makes something lasting; its files are in `dir`.
CREATE TABLE run (
    id          INTEGER PRIMARY KEY,
    command     TEXT NOT NULL,      -- as typed
    config_json TEXT NOT NULL,      -- effective options
    git         TEXT NOT NULL,      -- version of the program
    seed        INTEGER NOT NULL,   -- the 64 bits of an unsigned number
    started_at  INTEGER NOT NULL,   -- ms
    status      TEXT NOT NULL CHECK (status IN ('running', 'done', 'failed')),
    dir         TEXT
) STRICT;

-- A model that is given out, and for whose outputs owners are paid.
CREATE TABLE release (
    id            INTEGER PRIMARY KEY,
    run_id        INTEGER NOT NULL REFERENCES run (id),
    base_hash     BLOB NOT NULL CHECK (length(base_hash) = 32),     -- SHA-256 of the base weights
    adapter_hash  BLOB CHECK (length(adapter_hash) = 32),           -- of what was trained on top
    manifest_hash BLOB NOT NULL CHECK (length(manifest_hash) = 32)  -- of the list of works used
) STRICT;

-- The players of a release: owners, several of which may count as one (owner.cluster).
CREATE TABLE player (
    release_id INTEGER NOT NULL REFERENCES release (id),
    owner_id   INTEGER NOT NULL REFERENCES owner (id),
    player     INTEGER NOT NULL CHECK (player >= 0),
    PRIMARY KEY (release_id, owner_id)
) STRICT, WITHOUT ROWID;

-- A set of players, whose works alone a model is trained on.
CREATE TABLE coalition (
    id         INTEGER PRIMARY KEY,
    release_id INTEGER NOT NULL REFERENCES release (id),
    members    BLOB NOT NULL,       -- player p is in if bit p mod 8 of byte p div 8 is set
    size       INTEGER NOT NULL CHECK (size >= 0), -- number of members
    UNIQUE (release_id, members)
) STRICT;

CREATE TABLE coalition_model (
    coalition_id INTEGER NOT NULL REFERENCES coalition (id),
    seed         INTEGER NOT NULL,
    hash         BLOB NOT NULL CHECK (length(hash) = 32), -- SHA-256 of the weights
    PRIMARY KEY (coalition_id, seed)
) STRICT, WITHOUT ROWID;

-- Something that a release has generated and that is to be paid for.
CREATE TABLE output (
    id         INTEGER PRIMARY KEY,
    release_id INTEGER NOT NULL REFERENCES release (id),
    hash       BLOB NOT NULL CHECK (length(hash) = 32), -- SHA-256 of prompt and text
    UNIQUE (release_id, hash)
) STRICT;

-- v(S; output): how well the model of a coalition explains an output. Eight bytes IEEE 754 on the
-- disk, so it reads back as the same number; shares are recomputed from this table alone.
CREATE TABLE coalition_value (
    coalition_id INTEGER NOT NULL,
    seed         INTEGER NOT NULL,
    output_id    INTEGER NOT NULL REFERENCES output (id),
    value        REAL NOT NULL,     -- nats
    PRIMARY KEY (coalition_id, seed, output_id),
    FOREIGN KEY (coalition_id, seed) REFERENCES coalition_model (coalition_id, seed)
) STRICT, WITHOUT ROWID;

-- ---- money: integers, append-only, double entry ----

-- One distribution of a pool. Roots are SHA-256 Merkle roots, each over the one before.
CREATE TABLE settlement (
    id            INTEGER PRIMARY KEY,
    release_id    INTEGER NOT NULL REFERENCES release (id),
    pool          INTEGER NOT NULL, -- minor units of the currency (cents); negative: a refund
    currency      TEXT NOT NULL CHECK (length(currency) = 3), -- ISO 4217
    policy_json   TEXT NOT NULL,    -- effective rules
    values_hash   BLOB NOT NULL CHECK (length(values_hash) = 32), -- of the coalition values used
    previous_root BLOB UNIQUE CHECK (length(previous_root) = 32), -- NULL: the first settlement
    root          BLOB NOT NULL UNIQUE CHECK (length(root) = 32)
) STRICT;

CREATE TABLE signature (
    settlement_id INTEGER NOT NULL REFERENCES settlement (id),
    key           BLOB NOT NULL CHECK (length(key) = 32), -- Ed25519, public
    sig           BLOB NOT NULL CHECK (length(sig) = 64), -- of the root
    PRIMARY KEY (settlement_id, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE account (
    id       INTEGER PRIMARY KEY,
    name     TEXT NOT NULL,         -- 'pool:2025-11', 'owner:17:accrued', 'rounding', ...
    owner_id INTEGER REFERENCES owner (id), -- NULL: not an owner's
    currency TEXT NOT NULL CHECK (length(currency) = 3), -- ISO 4217
    UNIQUE (name, currency)
) STRICT;

-- Money moves from one account to another of the same currency; so all accounts of a currency
-- always sum to zero. Mistakes are corrected by further transfers.
CREATE TABLE transfer (
    id            INTEGER PRIMARY KEY,
    key           TEXT NOT NULL UNIQUE, -- chosen by the caller: posting twice is refused
    settlement_id INTEGER REFERENCES settlement (id),
    debit_id      INTEGER NOT NULL REFERENCES account (id), -- gives
    credit_id     INTEGER NOT NULL REFERENCES account (id), -- takes
    amount        INTEGER NOT NULL CHECK (amount > 0), -- millionths of the minor unit
    kind          TEXT NOT NULL,    -- 'accrue', 'pay', 'hold', 'release', 'correct', ...
    memo          TEXT,
    posted_at     INTEGER NOT NULL, -- ms
    CHECK (debit_id <> credit_id)
) STRICT;
CREATE INDEX transfer_debit ON transfer (debit_id);
CREATE INDEX transfer_credit ON transfer (credit_id);

-- The two sides of each transfer. A view, so that there cannot be one without the other.
CREATE VIEW entry (transfer_id, account_id, amount) AS
    SELECT id, debit_id, -amount FROM transfer
    UNION ALL SELECT id, credit_id, amount FROM transfer;

CREATE TRIGGER transfer_one_currency BEFORE INSERT ON transfer
WHEN (SELECT currency FROM account WHERE id = NEW.debit_id)
     IS NOT (SELECT currency FROM account WHERE id = NEW.credit_id)
BEGIN SELECT RAISE(ABORT, 'a transfer between two currencies'); END;

-- INSERT OR REPLACE deletes without running triggers on deletion, hence those on insertion.
CREATE TRIGGER transfer_no_update BEFORE UPDATE ON transfer
BEGIN SELECT RAISE(ABORT, 'transfers are never changed: correct by another transfer'); END;
CREATE TRIGGER transfer_no_delete BEFORE DELETE ON transfer
BEGIN SELECT RAISE(ABORT, 'transfers are never changed: correct by another transfer'); END;
CREATE TRIGGER transfer_no_replace BEFORE INSERT ON transfer
WHEN EXISTS (SELECT 1 FROM transfer WHERE id = NEW.id OR key = NEW.key)
BEGIN SELECT RAISE(ABORT, 'transfers are never changed: correct by another transfer'); END;
CREATE TRIGGER account_no_update BEFORE UPDATE ON account
BEGIN SELECT RAISE(ABORT, 'accounts are never changed'); END;
CREATE TRIGGER account_no_delete BEFORE DELETE ON account
BEGIN SELECT RAISE(ABORT, 'accounts are never changed'); END;
CREATE TRIGGER account_no_replace BEFORE INSERT ON account
WHEN EXISTS (SELECT 1 FROM account WHERE id = NEW.id
                   OR (name = NEW.name AND currency = NEW.currency))
BEGIN SELECT RAISE(ABORT, 'accounts are never changed'); END;
CREATE TRIGGER settlement_no_update BEFORE UPDATE ON settlement
BEGIN SELECT RAISE(ABORT, 'settlements are never changed'); END;
CREATE TRIGGER settlement_no_delete BEFORE DELETE ON settlement
BEGIN SELECT RAISE(ABORT, 'settlements are never changed'); END;
CREATE TRIGGER settlement_no_replace BEFORE INSERT ON settlement
WHEN EXISTS (SELECT 1 FROM settlement WHERE id = NEW.id OR root = NEW.root
                   OR previous_root = NEW.previous_root)
BEGIN SELECT RAISE(ABORT, 'settlements are never changed'); END;
CREATE TRIGGER signature_no_update BEFORE UPDATE ON signature
BEGIN SELECT RAISE(ABORT, 'signatures are never changed'); END;
CREATE TRIGGER signature_no_delete BEFORE DELETE ON signature
BEGIN SELECT RAISE(ABORT, 'signatures are never changed'); END;
CREATE TRIGGER signature_no_replace BEFORE INSERT ON signature
WHEN EXISTS (SELECT 1 FROM signature WHERE settlement_id = NEW.settlement_id AND key = NEW.key)
BEGIN SELECT RAISE(ABORT, 'signatures are never changed'); END;
CREATE TRIGGER coalition_value_no_update BEFORE UPDATE ON coalition_value
BEGIN SELECT RAISE(ABORT, 'coalition values are never changed'); END;
CREATE TRIGGER coalition_value_no_delete BEFORE DELETE ON coalition_value
BEGIN SELECT RAISE(ABORT, 'coalition values are never changed'); END;
CREATE TRIGGER coalition_value_no_replace BEFORE INSERT ON coalition_value
WHEN EXISTS (SELECT 1 FROM coalition_value WHERE coalition_id = NEW.coalition_id AND seed = NEW.seed
                   AND output_id = NEW.output_id)
BEGIN SELECT RAISE(ABORT, 'coalition values are never changed'); END;
