package dev.waymark.sample;

import dev.waymark.Consistency;
import dev.waymark.KeyRange;
import dev.waymark.OwnedRange;
import dev.waymark.ShardMap;
import dev.waymark.routing.ShardedDatabase;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.sql.Array;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.List;
import java.util.Optional;

/**
 * Gives texts keys, so that a table can be sharded by the hash of one: e-mail addresses and
 * idempotency keys.
 *
 * <p>The shard map knows ranges of ids only, and it changes; where a text was put must not. So the
 * ring is made once, from the ranges of the first map, and kept in the database. When a range moves
 * to another shard, the rows move with it; shards that come later get none. The keys are the first
 * ones of each range, so that no range looks fuller than it is. An immutable value.
 */
final class HashRing {
  /** Enough to split a range later, few beside the ids of a range. */
  private static final long KEYS_OF_A_RANGE = 1_024;

  private final List<KeyRange> keys;

  /** Where the ring is to be had; the schema must be there. */
  interface Source {
    HashRing get() throws SQLException;
  }

  private HashRing(List<KeyRange> keys) {
    this.keys = keys;
  }

  static HashRing of(ShardMap map) {
    return new HashRing(
        map.ranges().stream()
            .map(OwnedRange::range)
            .map(
                range ->
                    // Written so that the open end of the last range does not overflow.
                    range.to() - KEYS_OF_A_RANGE > range.from()
                        ? new KeyRange(range.from(), range.from() + KEYS_OF_A_RANGE)
                        : range)
            .toList());
  }

  /** The key of a text: the same in every process, for ever. */
  long keyOf(String text) {
    try {
      // A hash that nobody can aim with, or one shard could be made to hold all.
      ByteBuffer hash =
          ByteBuffer.wrap(
              MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8)));
      KeyRange range = keys.get(Math.floorMod(hash.getLong(), keys.size()));
      return range.from() + Math.floorMod(hash.getLong(), range.to() - range.from());
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException("Every JDK has SHA-256", impossible);
    }
  }

  /** The ring as the database has it; the schema must be there. */
  static HashRing load(ShardedDatabase database) throws SQLException {
    long anyKey = database.map().ranges().get(0).range().from();
    return database.read(anyKey, Consistency.strong(), HashRing::select);
  }

  /** Keeps the ring in a shard unless it has one; returns what it has then. */
  HashRing keepIn(Connection connection) throws SQLException {
    try (PreparedStatement insert =
        connection.prepareStatement(
            "INSERT INTO hash_ring (starts, sizes) VALUES (?, ?) ON CONFLICT DO NOTHING")) {
      insert.setArray(1, array(connection, keys.stream().map(KeyRange::from).toList()));
      insert.setArray(
          2, array(connection, keys.stream().map(range -> range.to() - range.from()).toList()));
      insert.executeUpdate();
    }
    return select(connection);
  }

  private static Array array(Connection connection, List<Long> numbers) throws SQLException {
    return connection.createArrayOf("bigint", numbers.toArray());
  }

  private static HashRing select(Connection connection) throws SQLException {
    return in(connection)
        .orElseThrow(
            () ->
                new IllegalStateException(
                    "The schema has no hash ring. Start once with --init-schema."));
  }

  /** The ring that a shard has, if it has one yet. */
  static Optional<HashRing> in(Connection connection) throws SQLException {
    try (PreparedStatement select =
            connection.prepareStatement(
                "SELECT s, s + n FROM hash_ring, unnest(starts, sizes) WITH ORDINALITY AS r (s, n, i)"
                    + " ORDER BY i");
        ResultSet rows = select.executeQuery()) {
      var keys = new java.util.ArrayList<KeyRange>();
      while (rows.next()) {
        keys.add(new KeyRange(rows.getLong(1), rows.getLong(2)));
      }
      return keys.isEmpty() ? Optional.empty() : Optional.of(new HashRing(List.copyOf(keys)));
    }
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof HashRing that && keys.equals(that.keys);
  }

  @Override
  public int hashCode() {
    return keys.hashCode();
  }

  @Override
  public String toString() {
    return "HashRing" + keys;
  }
}
