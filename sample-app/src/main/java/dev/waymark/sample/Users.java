package dev.waymark.sample;

import dev.waymark.Consistency;
import dev.waymark.PositionedRead;
import dev.waymark.Transaction;
import dev.waymark.WaymarkException;
import dev.waymark.cache.CacheAnswer;
import dev.waymark.cache.TieredCache;
import dev.waymark.routing.Keyset;
import dev.waymark.routing.Keyset.Direction;
import dev.waymark.routing.Page;
import dev.waymark.routing.ShardQuery;
import dev.waymark.routing.ShardedDatabase;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.postgresql.util.PSQLException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The users: single ones are read through the cache, every change tells the cache. Thread-safe. */
final class Users {
  static final int LONGEST_NAME = 100;

  private static final Logger log = LoggerFactory.getLogger(Users.class);
  private static final String UNIQUE_VIOLATION = "23505";
  private static final String EMAIL_CONSTRAINT = "users_email_unique";
  private static final String COLUMNS = "id, name, email, created_at, updated_at, revision";

  /** A revoked reservation is bad luck; so many in a row are a shard that is far too slow. */
  private static final int MOST_TRIES = 5;

  private final ShardedDatabase database;
  private final TieredCache<Long, User> cache;
  private final UniqueEmails emails;
  private final Purges purges;

  Users(
      ShardedDatabase database, TieredCache<Long, User> cache, UniqueEmails emails, Purges purges) {
    this.database = database;
    this.cache = cache;
    this.emails = emails;
    this.purges = purges;
  }

  /** What a client decides about a user. */
  record Draft(String name, String email) {}

  /** What a client wants to be changed; null for what is to stay as it is. */
  record Change(@Nullable String name, @Nullable String email) {
    static Change to(Draft draft) {
      return new Change(draft.name(), draft.email());
    }
  }

  /** In which order users are listed. */
  enum Sort {
    /** By id, the least first. */
    ID,
    /** By the time of their creation, the latest first. */
    NEWEST
  }

  /**
   * Which users are listed; null for no matter.
   *
   * @param name how the name begins, in lower or upper case
   * @param createdFrom created then or later
   * @param createdBefore created before
   */
  record Filter(
      @Nullable String name, @Nullable Instant createdFrom, @Nullable Instant createdBefore) {
    static Filter none() {
      return new Filter(null, null, null);
    }
  }

  // ---- reading ---------------------------------------------------------------------------------

  /** How the cache gets at a user that it does not have. */
  @SuppressWarnings("NullAway") // before JDK 22 it does not know type variables that may be null
  static PositionedRead<@Nullable User> load(ShardedDatabase database, long id)
      throws SQLException {
    return database.readPositioned(id, connection -> select(connection, id, ""));
  }

  /** The same, past all replicas. */
  @SuppressWarnings("NullAway") // as above
  static PositionedRead<@Nullable User> loadFromPrimary(ShardedDatabase database, long id)
      throws SQLException {
    return database.readPositioned(
        id, Consistency.strong(), connection -> select(connection, id, ""));
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

  /**
   * The user who has an address; null if nobody has. Two reads of one key each, the second through
   * the cache, however many shards there are.
   */
  @SuppressWarnings("NullAway") // as above
  @Nullable Answered<User> findByEmail(String email) throws SQLException {
    OptionalLong owner = emails.ownerOf(email);
    if (owner.isEmpty()) {
      return null;
    }
    Answered<@Nullable User> found = find(owner.getAsLong());
    User user = found.value();
    // The entry comes before the user and goes after it: only the user's own row says who has it.
    return user != null && user.email().equals(email) ? found.with(user) : null;
  }

  /**
   * Some users of all shards, from the place that a token stands for. Each shard answers as of its
   * own moment.
   *
   * @param token null for the first page
   * @throws Refusal if the token is damaged or of another list
   */
  Answered<Page<User>> page(Filter filter, Sort sort, @Nullable String token, int rows) {
    Keyset<User> list = Keyset.of(query(filter));
    list =
        switch (sort) {
          case ID -> list.byLong("id", Direction.ASCENDING, User::id);
          case NEWEST ->
              list.byInstant("created_at", Direction.DESCENDING, User::createdAt)
                  .byLong("id", Direction.DESCENDING, User::id);
        };
    Page<User> page;
    try {
      page = database.page(list, token, rows);
    } catch (IllegalArgumentException refused) {
      throw Refusal.invalidInput(
          List.of(new Fault("page", "must be the 'next' of a page of this same list")));
    }
    String shards =
        database.map().shards().stream()
            .map(shard -> shard.name())
            .collect(Collectors.joining(","));
    return new Answered<>(page, shards, null, null, Answered.DATABASE, "every shard was asked");
  }

  private static ShardQuery<User> query(Filter filter) {
    List<String> conditions = new ArrayList<>();
    List<Object> values = new ArrayList<>();
    if (filter.name() != null) {
      conditions.add("lower(name) LIKE lower(?)");
      values.add(filter.name().replaceAll("([\\\\%_])", "\\\\$1") + "%");
    }
    if (filter.createdFrom() != null) {
      conditions.add("created_at >= ?");
      values.add(OffsetDateTime.ofInstant(filter.createdFrom(), ZoneOffset.UTC));
    }
    if (filter.createdBefore() != null) {
      conditions.add("created_at < ?");
      values.add(OffsetDateTime.ofInstant(filter.createdBefore(), ZoneOffset.UTC));
    }
    String where = conditions.isEmpty() ? "" : " WHERE " + String.join(" AND ", conditions);
    return ShardQuery.of("SELECT " + COLUMNS + " FROM users" + where, Users::user)
        .with(
            statement -> {
              for (int i = 0; i < values.size(); i++) {
                statement.setObject(i + 1, values.get(i));
              }
            });
  }

  // ---- changing --------------------------------------------------------------------------------

  /**
   * Creates a user on a shard that the key allocator chooses.
   *
   * @param request what makes it repeatable; null if it is not
   * @throws Refusal if another user has the e-mail address
   */
  Answered<User> create(Draft draft, Idempotency.@Nullable Request request) throws SQLException {
    long id;
    if (request == null) {
      id = database.keys().next();
    } else {
      id = Idempotency.claim(database, emails.ring(), request, database.keys()::next);
      // Before anything is reserved: the user may have another address by now, or be gone.
      Answered<User> earlier = earlier(id, request);
      if (earlier != null) {
        return earlier;
      }
    }
    for (int tries = 1; ; tries++) {
      UniqueEmails.Reservation reservation = emails.reserve(draft.email(), id);
      try {
        Answered<User> created =
            database.transaction(
                id, transaction -> insert(transaction, draft, request, reservation));
        if (created.isAgain()) {
          after(() -> emails.settle(draft.email(), id));
        } else {
          after(() -> emails.confirm(reservation));
        }
        return created;
      } catch (UniqueEmails.RevokedException revoked) {
        emails.settle(draft.email(), id);
        if (tries == MOST_TRIES) {
          throw Refusal.tooSlow();
        }
      } catch (Refusal refused) {
        after(() -> emails.settle(draft.email(), id));
        throw refused;
      }
    }
  }

  private @Nullable Answered<User> earlier(long id, Idempotency.Request request)
      throws SQLException {
    String answer =
        database.read(
            id,
            Consistency.strong(),
            connection -> {
              String kept = Idempotency.earlierAnswer(connection, id, request);
              return kept == null ? "" : kept;
            });
    return answer.isEmpty() ? null : replayed(answer, database.map().shardFor(id).name());
  }

  private Answered<User> replayed(String answer, String shard) {
    return Answered.byWriting(Json.read(answer, User.class), shard, primaryOf(shard)).again();
  }

  private Answered<User> insert(
      Transaction transaction,
      Draft draft,
      Idempotency.@Nullable Request request,
      UniqueEmails.Reservation reservation)
      throws SQLException {
    Connection connection = transaction.connection();
    long id = reservation.userId();
    if (request != null) {
      String earlier = Idempotency.begin(connection, id, request);
      if (earlier != null) {
        return replayed(earlier, transaction.shard());
      }
    }
    UniqueEmails.use(connection, reservation);
    User user;
    try (PreparedStatement insert =
        connection.prepareStatement(
            "INSERT INTO users (id, name, email) VALUES (?, ?, ?) RETURNING " + COLUMNS)) {
      insert.setLong(1, id);
      insert.setString(2, draft.name());
      insert.setString(3, draft.email());
      user = users(insert).get(0);
    } catch (SQLException failure) {
      throw emailTakenOr(failure);
    }
    Outbox.add(connection, Event.Type.USER_CREATED, id, Map.of());
    if (request != null) {
      Idempotency.keep(connection, id, request, user);
    }
    return changed(transaction, user);
  }

  /**
   * Changes a user.
   *
   * @param precondition refuses if the user is not the one that the client knows
   * @throws Refusal if there is none, or another user has the e-mail address
   */
  Answered<User> update(long id, Change change, Consumer<User> precondition) throws SQLException {
    UniqueEmails.Reservation reservation = null;
    for (int tries = 1; ; tries++) {
      UniqueEmails.Reservation reserved = reservation;
      try {
        Changed changed =
            database.transaction(
                id, transaction -> update(transaction, id, change, precondition, reserved));
        String formerEmail = changed.formerEmail();
        if (formerEmail != null) {
          after(() -> emails.confirm(Objects.requireNonNull(reserved)));
          after(() -> emails.settle(formerEmail, id));
        }
        return changed.answered();
      } catch (NeedsReservationException needed) {
        reservation = emails.reserve(Objects.requireNonNull(change.email()), id);
      } catch (UniqueEmails.RevokedException revoked) {
        emails.settle(Objects.requireNonNull(change.email()), id);
        if (tries >= MOST_TRIES) {
          throw Refusal.tooSlow();
        }
        reservation = emails.reserve(Objects.requireNonNull(change.email()), id);
      } catch (Refusal refused) {
        if (reserved != null) {
          after(() -> emails.settle(reserved.email(), id));
        }
        throw refused;
      }
    }
  }

  /** The address changes: only now is that known, and that the user is there to be changed. */
  private static final class NeedsReservationException extends RuntimeException {
    private static final long serialVersionUID = 1;

    NeedsReservationException() {
      super("The address is to change", null, false, false);
    }
  }

  private record Changed(Answered<User> answered, @Nullable String formerEmail) {}

  private Changed update(
      Transaction transaction,
      long id,
      Change change,
      Consumer<User> precondition,
      UniqueEmails.@Nullable Reservation reservation)
      throws SQLException {
    Connection connection = transaction.connection();
    User before = lock(connection, id, precondition);
    String name = change.name() == null ? before.name() : change.name();
    String email = change.email() == null ? before.email() : change.email();
    boolean isMoving = !email.equals(before.email());
    if (isMoving) {
      if (reservation == null) {
        throw new NeedsReservationException();
      }
      UniqueEmails.use(connection, reservation);
    }
    User user;
    try (PreparedStatement update =
        connection.prepareStatement(
            "UPDATE users SET name = ?, email = ? WHERE id = ? RETURNING " + COLUMNS)) {
      update.setString(1, name);
      update.setString(2, email);
      update.setLong(3, id);
      user = users(update).get(0);
    } catch (SQLException failure) {
      throw emailTakenOr(failure);
    }
    if (isMoving) {
      UniqueEmails.release(connection, id, before.email());
    }
    return new Changed(changed(transaction, user), isMoving ? before.email() : null);
  }

  /**
   * Deletes a user, and the orders with it.
   *
   * @param precondition refuses if the user is not the one that the client knows
   * @throws Refusal if there is none
   */
  Answered<User> delete(long id, Consumer<User> precondition) throws SQLException {
    Answered<User> deleted =
        database.transaction(
            id,
            transaction -> {
              Connection connection = transaction.connection();
              User user = lock(connection, id, precondition);
              try (PreparedStatement delete =
                  connection.prepareStatement("DELETE FROM users WHERE id = ?")) {
                delete.setLong(1, id);
                delete.executeUpdate();
              }
              UniqueEmails.release(connection, id, user.email());
              cache.put(transaction, id, null);
              purges.afterCommit(transaction, id);
              return Answered.byWriting(user, transaction.shard(), primaryOf(transaction.shard()));
            });
    after(() -> emails.settle(deleted.value().email(), id));
    return deleted;
  }

  private static User lock(Connection connection, long id, Consumer<User> precondition)
      throws SQLException {
    User user = select(connection, id, " FOR UPDATE");
    if (user == null) {
      throw Refusal.noSuchUser(id);
    }
    precondition.accept(user);
    return user;
  }

  private Answered<User> changed(Transaction transaction, User user) {
    cache.put(transaction, user.id(), user);
    purges.afterCommit(transaction, user.id());
    return Answered.byWriting(user, transaction.shard(), primaryOf(transaction.shard()));
  }

  private interface Step {
    void run() throws SQLException;
  }

  /** What is only tidying up: the request is done, and {@link Reaper} does what fails here. */
  private static void after(Step step) {
    try {
      step.run();
    } catch (WaymarkException | SQLException failure) {
      log.info("An e-mail address is left to the reaper: {}", failure.getMessage());
    }
  }

  // ---- the statements --------------------------------------------------------------------------

  private static @Nullable User select(Connection connection, long id, String lock)
      throws SQLException {
    try (PreparedStatement select =
        connection.prepareStatement("SELECT " + COLUMNS + " FROM users WHERE id = ?" + lock)) {
      select.setLong(1, id);
      List<User> found = users(select);
      return found.isEmpty() ? null : found.get(0);
    }
  }

  private static List<User> users(PreparedStatement statement) throws SQLException {
    try (ResultSet rows = statement.executeQuery()) {
      List<User> users = new ArrayList<>();
      while (rows.next()) {
        users.add(user(rows));
      }
      return users;
    }
  }

  private static User user(ResultSet row) throws SQLException {
    return new User(
        row.getLong("id"),
        row.getString("name"),
        row.getString("email"),
        row.getObject("created_at", OffsetDateTime.class).toInstant(),
        row.getObject("updated_at", OffsetDateTime.class).toInstant(),
        row.getString("revision"));
  }

  /**
   * The shard's own constraint, the second net: it also knows users that were inserted past this
   * service. The id is unique as well, but that it is taken would be our fault and not the
   * client's.
   */
  private static SQLException emailTakenOr(SQLException failure) {
    if (UNIQUE_VIOLATION.equals(failure.getSQLState())
        && failure instanceof PSQLException refused
        && refused.getServerErrorMessage() != null
        && EMAIL_CONSTRAINT.equals(
            Objects.requireNonNull(refused.getServerErrorMessage()).getConstraint())) {
      throw Refusal.emailTaken();
    }
    return failure;
  }

  private @Nullable String primaryOf(String shard) {
    return Nodes.primaryOf(database, shard);
  }
}
