/**
 * Each step brings the schema one version further (PRAGMA user_version); none is ever changed after a release.
 *
 * The audit is the store: each row carries what it changed, and triggers project it onto the tables that are read. So state and
 * audit row are one statement, hence one transaction, and the audit replays to the same state.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    delegation INTEGER,           -- the one that it is about
    delegations TEXT,             -- or many, a JSON array of ids
    buffer TEXT,
    account TEXT,
    state TEXT,                   -- the delegation's state afterwards
    detail TEXT NOT NULL,         -- what changed: a merge patch (RFC 7396) of the record
    hash TEXT NOT NULL
  ) STRICT;

  -- No index: each would cost every decision another page in the log. A start reads the table once, and an audit search
  -- finds its rows between first_seq and last_seq.
  CREATE TABLE delegations (
    id INTEGER PRIMARY KEY,
    state TEXT NOT NULL,
    buffer TEXT NOT NULL,
    account TEXT NOT NULL,
    first_seq INTEGER NOT NULL,   -- the audit rows that are about it lie between these two
    last_seq INTEGER NOT NULL,
    record TEXT NOT NULL
  ) STRICT;

  CREATE TABLE buffers (name TEXT PRIMARY KEY, definition TEXT NOT NULL) STRICT, WITHOUT ROWID;

  CREATE TRIGGER audit_is_append_only_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
  CREATE TRIGGER audit_is_append_only_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;

  CREATE TRIGGER audit_one AFTER INSERT ON audit WHEN NEW.delegation IS NOT NULL BEGIN
    INSERT INTO delegations VALUES (NEW.delegation, NEW.state, NEW.buffer, NEW.account, NEW.seq, NEW.seq, NEW.detail)
    ON CONFLICT (id) DO UPDATE SET
      state = excluded.state, last_seq = excluded.last_seq, record = json_patch(record, excluded.record);
  END;
  CREATE TRIGGER audit_many AFTER INSERT ON audit
    WHEN NEW.delegations IS NOT NULL AND NEW.state IS NOT NULL AND NEW.state NOT IN ('revoked', 'cancelled') BEGIN
    UPDATE delegations SET state = NEW.state, last_seq = NEW.seq, record = json_patch(record, NEW.detail)
    WHERE id IN (SELECT value FROM json_each(NEW.delegations));
  END;
  -- Ten thousand ends at once: nothing changes them any more, so what changed is read from the audit row (delegation_records).
  CREATE TRIGGER audit_many_ended AFTER INSERT ON audit
    WHEN NEW.delegations IS NOT NULL AND NEW.state IN ('revoked', 'cancelled') BEGIN
    UPDATE delegations SET state = NEW.state, last_seq = NEW.seq WHERE id IN (SELECT value FROM json_each(NEW.delegations));
  END;
  CREATE VIEW delegation_records AS
    SELECT d.id, d.state, d.buffer, d.account,
      CASE WHEN a.delegations IS NOT NULL AND d.state IN ('revoked', 'cancelled')
        THEN json_patch(d.record, a.detail) ELSE d.record END AS record
    FROM delegations d JOIN audit a ON a.seq = d.last_seq;
  CREATE TRIGGER audit_buffer_defined AFTER INSERT ON audit WHEN NEW.action = 'buffer.defined' BEGIN
    INSERT INTO buffers VALUES (NEW.buffer, NEW.detail);
  END;
  CREATE TRIGGER audit_buffer_removed AFTER INSERT ON audit WHEN NEW.action = 'buffer.removed' BEGIN
    DELETE FROM buffers WHERE name = NEW.buffer;
  END;
  `,
  `
  CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    secret_hash TEXT NOT NULL,    -- SHA-256 of the cookie's secret
    key_hash TEXT NOT NULL,       -- and of the key that the page keeps
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    secret_hash TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- Whoever comes in sweeps out what is of no use any more.
  CREATE TRIGGER sessions_swept AFTER INSERT ON sessions BEGIN
    DELETE FROM sessions WHERE expires_at <= NEW.created_at;
  END;
  CREATE TRIGGER tokens_swept AFTER INSERT ON tokens BEGIN
    DELETE FROM tokens WHERE expires_at <= NEW.created_at;
  END;
  `,
  `
  CREATE TABLE accounts (name TEXT PRIMARY KEY, definition TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TRIGGER audit_account_defined AFTER INSERT ON audit WHEN NEW.action = 'account.defined' BEGIN
    INSERT INTO accounts VALUES (NEW.account, NEW.detail) ON CONFLICT (name) DO UPDATE SET definition = excluded.definition;
  END;
  CREATE TRIGGER audit_account_removed AFTER INSERT ON audit WHEN NEW.action = 'account.removed' BEGIN
    DELETE FROM accounts WHERE name = NEW.account;
  END;
  -- Those that were made before there were scopes were good for all that their account may do.
  ALTER TABLE tokens ADD COLUMN scope TEXT NOT NULL DEFAULT 'operate';
  `,
  `
  -- Between two borrowers. What is held stays so over a restart; hooks that an agent did not come to the end of are run by the next.
  CREATE TABLE holds (buffer TEXT PRIMARY KEY, since INTEGER NOT NULL, reason TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TRIGGER audit_buffer_held AFTER INSERT ON audit WHEN NEW.action = 'buffer.held' BEGIN
    INSERT OR REPLACE INTO holds VALUES (NEW.buffer, NEW.at, json_extract(NEW.detail, '$.reason'));
  END;
  CREATE TRIGGER audit_buffer_lifted AFTER INSERT ON audit WHEN NEW.action IN ('buffer.lifted', 'buffer.removed') BEGIN
    DELETE FROM holds WHERE buffer = NEW.buffer;
  END;
  CREATE TABLE pending_hooks (delegation INTEGER PRIMARY KEY, buffer TEXT NOT NULL, ended TEXT NOT NULL) STRICT;
  CREATE TRIGGER audit_hooks_pending AFTER INSERT ON audit WHEN NEW.action = 'hooks.pending' BEGIN
    INSERT OR REPLACE INTO pending_hooks
      SELECT json_extract(value, '$.delegation'), json_extract(value, '$.buffer'), value FROM json_each(NEW.detail, '$.ended');
  END;
  CREATE TRIGGER audit_hooks_ran AFTER INSERT ON audit WHEN NEW.action = 'hooks.ran' BEGIN
    DELETE FROM pending_hooks WHERE delegation = json_extract(NEW.detail, '$.delegation');
  END;
  `,
  `
  -- Old entries may go. The last that went is the anchor, and an entry says so; what lives on was carried over before, so that what is left
  -- replays to the same state.
  CREATE TABLE audit_anchor (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, hash TEXT NOT NULL, last_id INTEGER NOT NULL) STRICT;
  CREATE TABLE carried (subject TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  -- One trigger for all: each is looked at by every decision.
  CREATE TRIGGER audit_kept AFTER INSERT ON audit WHEN NEW.action IN ('delegation.carried', 'buffer.carried', 'hold.carried', 'account.carried', 'audit.anchored') BEGIN
    INSERT OR REPLACE INTO audit_anchor
      SELECT 1, json_extract(NEW.detail, '$.seq'), json_extract(NEW.detail, '$.hash'), json_extract(NEW.detail, '$.lastId')
      WHERE NEW.action = 'audit.anchored';
    INSERT OR REPLACE INTO buffers SELECT NEW.buffer, NEW.detail WHERE NEW.action = 'buffer.carried';
    INSERT OR REPLACE INTO accounts SELECT NEW.account, NEW.detail WHERE NEW.action = 'account.carried';
    INSERT OR REPLACE INTO holds
      SELECT NEW.buffer, json_extract(NEW.detail, '$.since'), json_extract(NEW.detail, '$.reason') WHERE NEW.action = 'hold.carried';
    INSERT OR REPLACE INTO carried
      SELECT substr(NEW.action, 1, instr(NEW.action, '.') - 1) || ' ' || coalesce(NEW.delegation, NEW.buffer, NEW.account), NEW.seq
      WHERE NEW.action <> 'audit.anchored';
  END;
  DROP TRIGGER audit_is_append_only_delete;
  CREATE TRIGGER audit_is_append_only_delete BEFORE DELETE ON audit WHEN OLD.seq > coalesce((SELECT seq FROM audit_anchor), 0) BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
  END;
  `,
  `
  CREATE TABLE reservations (
    id INTEGER PRIMARY KEY,
    state TEXT NOT NULL,
    from_at INTEGER NOT NULL,
    record TEXT NOT NULL
  ) STRICT;
  CREATE TRIGGER audit_reservation AFTER INSERT ON audit
    WHEN NEW.action IN ('reservation.created', 'reservation.cancelled', 'reservation.missed') BEGIN
    INSERT INTO reservations VALUES
      (json_extract(NEW.detail, '$.id'), json_extract(NEW.detail, '$.state'), coalesce(json_extract(NEW.detail, '$.from'), 0), NEW.detail)
    ON CONFLICT (id) DO UPDATE SET state = excluded.state, record = json_patch(record, excluded.record);
  END;
  -- The row that makes a delegation of it: both or neither.
  CREATE TRIGGER audit_reservation_begun AFTER INSERT ON audit WHEN NEW.action = 'reservation.begun' BEGIN
    UPDATE reservations SET state = 'begun', record = json_patch(record, json_object('state', 'begun', 'delegation', NEW.delegation))
    WHERE id = json_extract(NEW.detail, '$.reservation');
  END;
  `,
  `
  CREATE TABLE drains (device TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TRIGGER audit_device_drained AFTER INSERT ON audit WHEN NEW.action = 'device.drained' BEGIN
    INSERT INTO drains VALUES (json_extract(NEW.detail, '$.device'), json_remove(NEW.detail, '$.device'))
    ON CONFLICT (device) DO UPDATE SET record = excluded.record;
  END;
  CREATE TRIGGER audit_device_undrained AFTER INSERT ON audit WHEN NEW.action = 'device.undrained' BEGIN
    DELETE FROM drains WHERE device = json_extract(NEW.detail, '$.device');
  END;
  `,
  `
  CREATE TABLE passwords (
    account TEXT PRIMARY KEY,
    hash TEXT NOT NULL,           -- argon2id, as a PHC string with its parameters
    must_change INTEGER NOT NULL  -- somebody else chose it
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- In the order in which they came: one that is defined anew keeps its place. Carried over they are one entry, for their order's sake.
  CREATE TABLE rules (name TEXT NOT NULL UNIQUE, definition TEXT NOT NULL) STRICT;
  CREATE TRIGGER audit_rule_defined AFTER INSERT ON audit WHEN NEW.action = 'rule.defined' BEGIN
    INSERT INTO rules VALUES (json_extract(NEW.detail, '$.name'), NEW.detail)
    ON CONFLICT (name) DO UPDATE SET definition = excluded.definition;
  END;
  CREATE TRIGGER audit_rule_removed AFTER INSERT ON audit WHEN NEW.action = 'rule.removed' BEGIN
    DELETE FROM rules WHERE name = json_extract(NEW.detail, '$.name');
  END;
  CREATE TRIGGER audit_rules_carried AFTER INSERT ON audit WHEN NEW.action = 'rules.carried' BEGIN
    DELETE FROM rules;
    INSERT INTO rules SELECT json_extract(value, '$.name'), value FROM json_each(NEW.detail, '$.rules') ORDER BY key;
  END;
  `,
];
