package dev.waymark.sample;

import dev.waymark.KeyRange;
import dev.waymark.Shard;
import dev.waymark.routing.ShardedDatabase;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.HexFormat;
import java.util.Objects;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Lets a client repeat a POST that it had no answer to: the same {@code Idempotency-Key} gets the
 * first one's answer and creates nothing.
 *
 * <p>An answer is kept in the very transaction that creates what it tells of, on the same shard: so
 * neither is there without the other, whatever dies. For a user, whose shard only its id tells, the
 * id is kept first, under the hash of the key: who repeats the request goes on with that id.
 * Refusals are not kept: the next try may succeed. Thread-safe.
 */
final class Idempotency {
  /** How long a repeated request is recognised. */
  static final Duration KEPT = Duration.ofHours(24);

  private Idempotency() {}

  /**
   * A request that may come again.
   *
   * @param key the client's, with what it is for
   * @param fingerprint of all that the client asked for
   */
  record Request(String key, String fingerprint) {
    /** A request of a kind: the keys of different kinds are different keys. */
    static Request of(String kind, String key, Object asked) {
      try {
        byte[] hash =
            MessageDigest.getInstance("SHA-256")
                .digest(Json.text(asked).getBytes(StandardCharsets.UTF_8));
        return new Request(kind + ":" + key, HexFormat.of().formatHex(hash));
      } catch (NoSuchAlgorithmException impossible) {
        throw new IllegalStateException("Every JDK has SHA-256", impossible);
      }
    }
  }

  /**
   * The id that a request's user has or is to get: the same for each repetition.
   *
   * @throws Refusal if the key came with another request
   */
  static long claim(ShardedDatabase database, HashRing ring, Request request, LongSupplier newId)
      throws SQLException {
    long slot = ring.keyOf(request.key());
    String key = "claim:" + request.key();
    long id = newId.getAsLong();
    return database.write(
        slot,
        connection -> {
          insert(connection, slot, key, request.fingerprint(), id);
          try (PreparedStatement select =
              connection.prepareStatement(
                  "SELECT fingerprint, subject FROM idempotency_keys WHERE owner = ? AND key = ?")) {
            select.setLong(1, slot);
            select.setString(2, key);
            try (ResultSet row = select.executeQuery()) {
              if (!row.next()) {
                // Removed between the two statements, after its day.
                throw new IllegalStateException("The request's key has just expired");
              }
              check(row.getString(1), request);
              return row.getLong(2);
            }
          }
        });
  }

  /**
   * The answer that a request got before, else null; then what follows in this transaction is the
   * first. Waits for another transaction that does the same.
   *
   * @param owner the id whose shard the transaction is on
   * @throws Refusal if the key came with another request
   */
  static @Nullable String begin(Connection connection, long owner, Request request)
      throws SQLException {
    if (insert(connection, owner, request.key(), request.fingerprint(), null)) {
      return null;
    }
    return earlierAnswer(connection, owner, request);
  }

  /** The answer that a request got before, else null. */
  static @Nullable String earlierAnswer(Connection connection, long owner, Request request)
      throws SQLException {
    try (PreparedStatement select =
        connection.prepareStatement(
            "SELECT fingerprint, answer::text FROM idempotency_keys WHERE owner = ? AND key = ?")) {
      select.setLong(1, owner);
      select.setString(2, request.key());
      try (ResultSet row = select.executeQuery()) {
        if (!row.next()) {
          return null;
        }
        check(row.getString(1), request);
        return row.getString(2);
      }
    }
  }

  /** Keeps the answer, in the transaction that {@link #begin} was called in. */
  static void keep(Connection connection, long owner, Request request, Object answer)
      throws SQLException {
    try (PreparedStatement update =
        connection.prepareStatement(
            "UPDATE idempotency_keys SET answer = ?::jsonb WHERE owner = ? AND key = ?")) {
      update.setString(1, Json.text(answer));
      update.setLong(2, owner);
      update.setString(3, request.key());
      update.executeUpdate();
    }
  }

  /** Removes what is older than {@link #KEPT} from a shard. */
  static int removeExpired(ShardedDatabase database, Shard shard) throws SQLException {
    for (KeyRange range : database.map().rangesOf(shard.name())) {
      // One statement for the whole shard: any of its keys leads there.
      return database.write(
          range.from(),
          connection -> {
            try (PreparedStatement delete =
                connection.prepareStatement(
                    "DELETE FROM idempotency_keys"
                        + " WHERE created_at < now() - make_interval(secs => ?)")) {
              delete.setDouble(1, KEPT.toSeconds());
              return delete.executeUpdate();
            }
          });
    }
    return 0;
  }

  private static boolean insert(
      Connection connection, long owner, String key, String fingerprint, @Nullable Long subject)
      throws SQLException {
    try (PreparedStatement insert =
        connection.prepareStatement(
            """
            INSERT INTO idempotency_keys (owner, key, fingerprint, subject) VALUES (?, ?, ?, ?)
            ON CONFLICT (owner, key) DO NOTHING
            """)) {
      insert.setLong(1, owner);
      insert.setString(2, key);
      insert.setString(3, fingerprint);
      insert.setObject(4, subject, java.sql.Types.BIGINT);
      return insert.executeUpdate() == 1;
    }
  }

  private static void check(String fingerprint, Request request) {
    if (!Objects.equals(fingerprint, request.fingerprint())) {
      throw Refusal.of(
          Problem.IDEMPOTENCY_KEY_REUSED,
          "This Idempotency-Key came before with another request, within the last "
              + KEPT.toHours()
              + " hours.");
    }
  }
}
