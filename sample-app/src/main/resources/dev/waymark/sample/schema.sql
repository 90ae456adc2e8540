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

-- An order is placed, and that is all; or it belongs to a checkout: pending until that has ended. Asked first, since
-- ALTER TABLE would wait for every reader even where it has nothing to add.
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_attribute
                 WHERE attrelid = 'orders'::regclass AND attname = 'status' AND NOT attisdropped) THEN
    ALTER TABLE orders
      ADD COLUMN status text NOT NULL DEFAULT 'placed'
        CHECK (status IN ('placed', 'pending', 'confirmed', 'cancelled')),
      ADD COLUMN cancel_reason text;
  END IF;
END $$;

-- How far each checkout is (class Checkouts). No foreign key: a checkout outlives an order that goes with its user, or
-- nobody would give the money back.
CREATE TABLE IF NOT EXISTS checkouts (
  user_id  bigint NOT NULL,
  id       uuid NOT NULL,
  order_id bigint NOT NULL,
  amount   numeric(12,2) NOT NULL,
  state    text NOT NULL CHECK (state IN ('paying', 'refunding', 'confirmed', 'cancelled')),
  reason   text,
  began_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (user_id, id)
);

-- The payment service (class AccountPayments): what its customers have, and what they paid. Spread over the shards by
-- the hash of who pays: as a rule not the shard where the orders are.
CREATE TABLE IF NOT EXISTS accounts (
  slot    bigint NOT NULL,
  user_id bigint NOT NULL,
  balance numeric(14,2) NOT NULL CHECK (balance >= 0),
  PRIMARY KEY (slot, user_id)
);

-- What became of each payment, decided once; the id is the client's. A void one came to nothing before it came.
CREATE TABLE IF NOT EXISTS payments (
  slot       bigint NOT NULL,
  id         uuid NOT NULL,
  user_id    bigint NOT NULL,
  amount     numeric(12,2) NOT NULL CHECK (amount >= 0),
  state      text NOT NULL CHECK (state IN ('paid', 'declined', 'refunded', 'void')),
  decided_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (slot, id)
);

-- What happened and is still to be told (class Outbox), written in the transactions that made it happen.
CREATE TABLE IF NOT EXISTS outbox (
  user_id bigint NOT NULL,
  id      uuid NOT NULL DEFAULT gen_random_uuid(),
  seq     bigint GENERATED ALWAYS AS IDENTITY,
  type    text NOT NULL,
  detail  jsonb NOT NULL,
  at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (user_id, id)
);

CREATE INDEX IF NOT EXISTS outbox_in_order ON outbox (seq);

-- What the consumer of the events has heard, each once, and how often what.
CREATE TABLE IF NOT EXISTS activity (
  user_id  bigint NOT NULL,
  event_id uuid NOT NULL,
  type     text NOT NULL,
  detail   jsonb NOT NULL,
  at       timestamptz NOT NULL,
  PRIMARY KEY (user_id, event_id)
);

CREATE TABLE IF NOT EXISTS activity_totals (
  user_id bigint NOT NULL,
  type    text NOT NULL,
  times   bigint NOT NULL,
  PRIMARY KEY (user_id, type)
);

-- What is to be done on this shard and by which process, as db-scheduler 16 wants the table (class Workers).
CREATE TABLE IF NOT EXISTS scheduled_tasks (
  task_name            text NOT NULL,
  task_instance        text NOT NULL,
  task_data            bytea,
  execution_time       timestamptz NOT NULL,
  picked               boolean NOT NULL,
  picked_by            text,
  last_success         timestamptz,
  last_failure         timestamptz,
  consecutive_failures int,
  last_heartbeat       timestamptz,
  version              bigint NOT NULL,
  priority             smallint,
  PRIMARY KEY (task_name, task_instance)
);

CREATE INDEX IF NOT EXISTS scheduled_tasks_due ON scheduled_tasks (execution_time);
CREATE INDEX IF NOT EXISTS scheduled_tasks_by_priority ON scheduled_tasks (priority DESC, execution_time);
CREATE INDEX IF NOT EXISTS scheduled_tasks_heartbeat ON scheduled_tasks (last_heartbeat);

-- The one relay that each shard has. It stands here and is not made by whoever starts, who may find the shard down.
-- Its priority is above that of checkouts (50).
INSERT INTO scheduled_tasks (task_name, task_instance, execution_time, picked, version, priority)
VALUES ('outbox', 'recurring', now(), false, 1, 90) ON CONFLICT DO NOTHING;

-- What was written before there were priorities; null would come before all others.
UPDATE scheduled_tasks SET priority = CASE task_name WHEN 'outbox' THEN 90 ELSE 50 END WHERE priority IS NULL;
