-- What every shard holds. It may be applied again: what is there already stays as it is.

-- Two services that start at the same moment take turns.
SELECT pg_advisory_xact_lock(hashtext('dev.waymark.sample schema'));

CREATE TABLE IF NOT EXISTS users (
  id         bigint PRIMARY KEY,
  name       varchar(100) NOT NULL,
  email      varchar(254) NOT NULL CONSTRAINT users_email_unique UNIQUE,
  created_at timestamptz NOT NULL DEFAULT now()
);

-- The newest users of the shard, which the newest of all shards are merged from.
CREATE INDEX IF NOT EXISTS users_newest ON users (created_at DESC, id DESC);

-- The user's id is the sharding key and comes first: an order lives where its user lives.
CREATE TABLE IF NOT EXISTS orders (
  user_id      bigint NOT NULL REFERENCES users (id),
  id           bigint GENERATED ALWAYS AS IDENTITY,
  total_amount numeric(10,2) NOT NULL CHECK (total_amount >= 0),
  created_at   timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (user_id, id)
);

CREATE INDEX IF NOT EXISTS orders_newest ON orders (user_id, created_at DESC, id DESC);
