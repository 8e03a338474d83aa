-- A store of schema 1, as brokers made it before schema 2. Never edited: it is what was released.
-- The tables first (also read by tests/e2e/test_old_store.py), then rows of every kind.
CREATE TABLE meta (name TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE mark (name TEXT NOT NULL PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE job (job INTEGER NOT NULL PRIMARY KEY, status INTEGER NOT NULL, type TEXT NOT NULL, owner TEXT NOT NULL, key TEXT NOT NULL, final_ms INTEGER NOT NULL, bytes INTEGER NOT NULL, body BLOB NOT NULL);
CREATE UNIQUE INDEX job_key ON job (key) WHERE key <> '';
CREATE INDEX job_unfinished ON job (job) WHERE final_ms = 0;
CREATE TABLE job_add (job INTEGER NOT NULL, n INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (job, n)) WITHOUT ROWID;
CREATE TABLE chunk (job INTEGER NOT NULL, chunk INTEGER NOT NULL, state INTEGER NOT NULL, attempts INTEGER NOT NULL, losses INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (job, chunk)) WITHOUT ROWID;
CREATE TABLE device (device TEXT NOT NULL PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
PRAGMA application_id = 1397245015;
PRAGMA user_version = 1;
-- end of the tables
INSERT INTO meta VALUES ('token_key', x'000102030405060708090a0b0c0d0e0f'), ('system', x'00ff00');
INSERT INTO mark VALUES ('store_epoch', 41), ('last_job', 9);
INSERT INTO job VALUES
    (1, 0, 'hash', '', '', 0, 0, x'93a46861736801'),
    (2, 1, 'compress', 'token-1', 'token-1:first', 0, 4096, x'93a8636f6d707265737301'),
    (3, 2, 'filter', 'token-1', 'token-1:second', 1700000003000, 5, x'90'),
    (4, 3, 'transform', '', '', 1700000001000, 0, x'c4'),
    (5, 4, 'hash', 'token-2', 'token-2:first', 1700000002000, 1099511627776, x'93a46861736801');
INSERT INTO job_add VALUES (1, 0, x'9100'), (2, 0, x'9101'), (2, 1, x'9102'), (3, 0, x''), (5, 0, x'9103');
INSERT INTO chunk VALUES
    (2, 0, 3, 0, 0, x'9104'), (2, 1, 0, 2, 1, x'9105'), (2, 4294967295, 4, 3, 3, x'9106'),
    (3, 0, 3, 0, 0, x'9107'), (5, 0, 4, 3, 0, x'9108');
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000)
    INSERT INTO chunk SELECT 5, i, 3, 0, 0, zeroblob(16) FROM n;
INSERT INTO device VALUES ('d-one', x'9109'), ('d-two', x'910a');
