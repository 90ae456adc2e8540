-- What every shard holds. It may be applied again: what is there already stays as it is.

-- Two services that start at the same moment take turns.
SELECT pg_advisory_xact_lock(hashtext('dev.waymark.sample schema'));

-- Each version of a row is marked with where the log stood when it was written: timeline and LSN. A row's later version
-- has a later place, and a version that a failover has lost lies on another timeline than the one that takes its place,
-- so that equal marks mean equal rows; a counter could not say that. Also for what is changed with psql. Rows that
-- logical replication brings keep their mark: triggers rest there.
CREATE OR REPLACE FUNCTION sample_mark_revision() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  place pg_lsn := pg_current_wal_insert_lsn();
BEGIN
  NEW.revision := ltrim(left(pg_walfile_name(place), 8), '0') || '.' || replace(place::text, '/', '.');
  NEW.updated_at := CASE TG_OP WHEN 'INSERT' THEN NEW.created_at ELSE clock_timestamp() END;
  RETURN NEW;
END $$;

CREATE TABLE IF NOT EXISTS users (
  id         bigint PRIMARY KEY,
  name       varchar(100) NOT NULL,
  -- In lower case. Unique on this shard by the constraint, over all shards by user_emails.
  email      varchar(254) NOT NULL CONSTRAINT users_email_unique UNIQUE,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL,
  revision   text NOT NULL
);

CREATE OR REPLACE TRIGGER users_mark_revision BEFORE INSERT OR UPDATE ON users
  FOR EACH ROW EXECUTE FUNCTION sample_mark_revision();

-- The newest users of the shard, which the newest of all shards are merged from.
CREATE INDEX IF NOT EXISTS users_newest ON users (created_at DESC, id DESC);

-- Serves the filter by the beginning of a name.
CREATE INDEX IF NOT EXISTS users_name ON users (lower(name) text_pattern_ops);

-- The user's id is the sharding key and comes first: an order lives where its user lives, and goes with it.
CREATE TABLE IF NOT EXISTS orders (
  user_id      bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  id           bigint GENERATED ALWAYS AS IDENTITY,
  -- What was bought, at the price of then: a document, always read and written whole.
  items        jsonb NOT NULL CHECK (jsonb_typeof(items) = 'array'),
  total_amount numeric(12,2) NOT NULL CHECK (total_amount >= 0),
  created_at   timestamptz NOT NULL DEFAULT now(),
  updated_at   timestamptz NOT NULL,
  revision     text NOT NULL,
  PRIMARY KEY (user_id, id)
);

CREATE OR REPLACE TRIGGER orders_mark_revision BEFORE INSERT OR UPDATE ON orders
  FOR EACH ROW EXECUTE FUNCTION sample_mark_revision();

-- Who has which e-mail address, spread over the shards by the address' hash (class UniqueEmails).
CREATE TABLE IF NOT EXISTS user_emails (
  slot        bigint NOT NULL,
  email       varchar(254) NOT NULL,
  user_id     bigint NOT NULL,
  reservation uuid NOT NULL,
  confirmed   boolean NOT NULL DEFAULT false,
  reserved_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (slot, email)
);

CREATE INDEX IF NOT EXISTS user_emails_in_question ON user_emails (reserved_at) WHERE NOT confirmed;

-- What became of reservations, on the shard of the user they were made for: the place where it is decided.
CREATE TABLE IF NOT EXISTS email_uses (
  user_id     bigint NOT NULL,
  reservation uuid NOT NULL,
  email       varchar(254) NOT NULL,
  state       text NOT NULL CHECK (state IN ('used', 'released', 'revoked')),
  decided_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (user_id, reservation)
);

CREATE INDEX IF NOT EXISTS email_uses_released ON email_uses (decided_at) WHERE state = 'released';
CREATE INDEX IF NOT EXISTS email_uses_used ON email_uses (user_id, email) WHERE state = 'used';

-- POST requests that were answered, so that a repeated one gets the same answer (class Idempotency).
CREATE TABLE IF NOT EXISTS idempotency_keys (
  owner       bigint NOT NULL,
  key         varchar(300) NOT NULL,
  fingerprint text NOT NULL,
  -- The id that the request's user is to get, where the row only says that; else null.
  subject     bigint,
  answer      jsonb,
  created_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (owner, key)
);

CREATE INDEX IF NOT EXISTS idempotency_keys_age ON idempotency_keys (created_at);

-- Which keys stand for which hashes of addresses and idempotency keys: the first keys of the ranges that the map had
-- when the schema was created (class HashRing). Every shard has the same row. It must never change: whoever was found
-- by it would be lost.
CREATE TABLE IF NOT EXISTS hash_ring (
  only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
  starts   bigint[] NOT NULL,
  sizes    bigint[] NOT NULL
);
