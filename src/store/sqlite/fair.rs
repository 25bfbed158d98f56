//! The step of the schema for fairness: a client that sends much must not make others wait long. It adds counts of
//! fetches in vain for hints, and of the bytes of dead letters that may have been made from one notification.

pub(super) const STEP: &str = r"
-- trusted: 0 where nobody but strangers has spoken of the object, 1 where a hint at an object of ours asks, 2 where the PSP
-- itself does. in_vain: how many fetches in a row only hints had asked for that brought nothing new; no more than so many
-- are counted.
ALTER TABLE fetches ADD COLUMN in_vain INTEGER NOT NULL DEFAULT 0;
UPDATE fetches SET trusted = 2 WHERE trusted = 1;
CREATE INDEX fetches_hinted ON fetches (source, in_vain, due_at) WHERE trusted = 1 AND due_at IS NOT NULL;

-- further: whether another content of its dedupe key was there before it, where a signature covers parts of a body only:
-- somebody may have made it of that one.
ALTER TABLE notifications ADD COLUMN further INTEGER NOT NULL DEFAULT 0;
CREATE INDEX dead_letters_further ON notifications (source, dedupe_key) WHERE outcome = 'dead_letter' AND further = 1;

-- How many bytes the further dead letters of a dedupe key have, kept by the table itself: past their size those of the
-- largest go first.
CREATE TABLE dead_letter_keys (
    source     TEXT NOT NULL,
    dedupe_key BLOB NOT NULL,
    bytes      INTEGER NOT NULL,
    PRIMARY KEY (source, dedupe_key)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX dead_letter_keys_by_bytes ON dead_letter_keys (bytes DESC, source, dedupe_key);
CREATE TRIGGER further_in AFTER INSERT ON notifications WHEN new.outcome = 'dead_letter' AND new.further = 1 BEGIN
    INSERT INTO dead_letter_keys VALUES (new.source, new.dedupe_key, octet_length(new.body) + octet_length(new.headers))
        ON CONFLICT (source, dedupe_key) DO UPDATE SET bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER further_out AFTER DELETE ON notifications WHEN old.outcome = 'dead_letter' AND old.further = 1 BEGIN
    UPDATE dead_letter_keys SET bytes = bytes - octet_length(old.body) - octet_length(old.headers)
        WHERE source = old.source AND dedupe_key = old.dedupe_key;
    DELETE FROM dead_letter_keys WHERE source = old.source AND dedupe_key = old.dedupe_key AND bytes <= 0;
END;
CREATE TRIGGER further_was AFTER UPDATE OF outcome, body, headers ON notifications
    WHEN old.outcome = 'dead_letter' AND old.further = 1 BEGIN
    UPDATE dead_letter_keys SET bytes = bytes - octet_length(old.body) - octet_length(old.headers)
        WHERE source = old.source AND dedupe_key = old.dedupe_key;
    DELETE FROM dead_letter_keys WHERE source = old.source AND dedupe_key = old.dedupe_key AND bytes <= 0;
END;
CREATE TRIGGER further_is AFTER UPDATE OF outcome, body, headers ON notifications
    WHEN new.outcome = 'dead_letter' AND new.further = 1 BEGIN
    INSERT INTO dead_letter_keys VALUES (new.source, new.dedupe_key, octet_length(new.body) + octet_length(new.headers))
        ON CONFLICT (source, dedupe_key) DO UPDATE SET bytes = bytes + excluded.bytes;
END;
";
