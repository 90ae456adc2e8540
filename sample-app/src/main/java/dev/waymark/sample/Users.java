package dev.waymark.sample;

import dev.waymark.Consistency;
import dev.waymark.PositionedRead;
import dev.waymark.cache.CacheAnswer;
import dev.waymark.cache.TieredCache;
import dev.waymark.routing.ShardedDatabase;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.postgresql.util.PSQLException;

/** The users: single ones are read through the cache, every change tells the cache. Thread-safe. */
final class Users {
  static final int LONGEST_NAME = 100;

  private static final String UNIQUE_VIOLATION = "23505";
  private static final String EMAIL_CONSTRAINT = "users_email_unique";

  /** The order of the index on every shard, and of {@link #newest}. */
  private static final Comparator<User> NEWEST_FIRST =
      Comparator.comparing(User::createdAt).thenComparing(User::id).reversed();

  private final ShardedDatabase database;
  private final TieredCache<Long, User> cache;

  Users(ShardedDatabase database, TieredCache<Long, User> cache) {
    this.database = database;
    this.cache = cache;
  }

  /** What a client decides about a user. */
  record Draft(String name, String email) {}

  /** How the cache gets at a user that it does not have. */
  @SuppressWarnings("NullAway") // before JDK 22 it does not know type variables that may be null
  static PositionedRead<@Nullable User> load(ShardedDatabase database, long id)
      throws SQLException {
    return database.readPositioned(id, connection -> select(connection, id));
  }

  /** The same, past all replicas. */
  @SuppressWarnings("NullAway") // as above
  static PositionedRead<@Nullable User> loadFromPrimary(ShardedDatabase database, long id)
      throws SQLException {
    return database.readPositioned(id, Consistency.strong(), connection -> select(connection, id));
  }

  /** The user as the current session may see it; null if there is none. */
  @SuppressWarnings("NullAway") // as above
  Answered<@Nullable User> find(long id) throws SQLException {
    Consistency asked = database.currentSession().consistency();
    if (asked instanceof Consistency.Strong || asked instanceof Consistency.BoundedStaleness) {
      // The cache keeps to what a session has seen; it does not know what nobody here has seen.
      return Answered.byDatabase(load(database, id));
    }
    // Also keeps keys that no shard owns out of the cache.
    String shard = database.map().shardFor(id).name();
    CacheAnswer<User> answer = cache.lookup(id);
    if (answer.route() != null) {
      return Answered.byDatabase(
          new PositionedRead<>(answer.value(), answer.route(), answer.position()));
    }
    return new Answered<>(
        answer.value(),
        shard,
        null,
        null,
        answer.tier().name(),
        answer.tier() == CacheAnswer.Tier.L1
            ? "this process still knew it"
            : "Redis still knew it");
  }

  /** The newest users of all shards. Each shard answers as of its own moment. */
  Answered<List<User>> newest(int limit) throws SQLException {
    List<User> users =
        database
            .onEveryShard(
                connection -> {
                  try (PreparedStatement select =
                      connection.prepareStatement(
                          """
                          SELECT id, name, email, created_at FROM users
                          ORDER BY created_at DESC, id DESC LIMIT ?
                          """)) {
                    select.setInt(1, limit);
                    return users(select);
                  }
                })
            .merge(NEWEST_FIRST, limit);
    String shards =
        database.map().shards().stream()
            .map(shard -> shard.name())
            .collect(Collectors.joining(","));
    return new Answered<>(users, shards, null, null, Answered.DATABASE, "every shard was asked");
  }

  /**
   * Creates a user on a shard that the key allocator chooses.
   *
   * @throws Refusal if another user of that shard has the e-mail address
   */
  Answered<User> create(Draft draft) throws SQLException {
    long id = database.keys().next();
    return database.transaction(
        id,
        transaction -> {
          User user;
          try (PreparedStatement insert =
              transaction
                  .connection()
                  .prepareStatement(
                      """
                      INSERT INTO users (id, name, email) VALUES (?, ?, ?)
                      RETURNING id, name, email, created_at
                      """)) {
            insert.setLong(1, id);
            insert.setString(2, draft.name());
            insert.setString(3, draft.email());
            user = users(insert).get(0);
          } catch (SQLException failure) {
            if (isEmailTaken(failure)) {
              throw Refusal.emailTaken();
            }
            throw failure;
          }
          cache.put(transaction, id, user);
          return Answered.byWriting(user, transaction.shard(), primaryOf(transaction.shard()));
        });
  }

  /**
   * Changes a user.
   *
   * @throws Refusal if there is none, or another user of the shard has the e-mail address
   */
  Answered<User> update(long id, Draft draft) throws SQLException {
    return database.transaction(
        id,
        transaction -> {
          List<User> changed;
          try (PreparedStatement update =
              transaction
                  .connection()
                  .prepareStatement(
                      """
                      UPDATE users SET name = ?, email = ? WHERE id = ?
                      RETURNING id, name, email, created_at
                      """)) {
            update.setString(1, draft.name());
            update.setString(2, draft.email());
            update.setLong(3, id);
            changed = users(update);
          } catch (SQLException failure) {
            if (isEmailTaken(failure)) {
              throw Refusal.emailTaken();
            }
            throw failure;
          }
          if (changed.isEmpty()) {
            throw Refusal.noSuchUser(id);
          }
          User user = changed.get(0);
          cache.put(transaction, id, user);
          return Answered.byWriting(user, transaction.shard(), primaryOf(transaction.shard()));
        });
  }

  private static @Nullable User select(Connection connection, long id) throws SQLException {
    try (PreparedStatement select =
        connection.prepareStatement("SELECT id, name, email, created_at FROM users WHERE id = ?")) {
      select.setLong(1, id);
      List<User> found = users(select);
      return found.isEmpty() ? null : found.get(0);
    }
  }

  private static List<User> users(PreparedStatement statement) throws SQLException {
    try (ResultSet rows = statement.executeQuery()) {
      List<User> users = new ArrayList<>();
      while (rows.next()) {
        users.add(
            new User(
                rows.getLong("id"),
                rows.getString("name"),
                rows.getString("email"),
                rows.getObject("created_at", OffsetDateTime.class).toInstant()));
      }
      return users;
    }
  }

  /** The id is unique as well, but that it is taken would be our fault and not the client's. */
  private static boolean isEmailTaken(SQLException failure) {
    return UNIQUE_VIOLATION.equals(failure.getSQLState())
        && failure instanceof PSQLException refused
        && refused.getServerErrorMessage() != null
        && EMAIL_CONSTRAINT.equals(
            Objects.requireNonNull(refused.getServerErrorMessage()).getConstraint());
  }

  private @Nullable String primaryOf(String shard) {
    return Nodes.primaryOf(database, shard);
  }
}
