package dev.waymark.testkit;

import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.postgresql.ds.PGSimpleDataSource;
import org.postgresql.jdbc.GSSEncMode;

/**
 * One PostgreSQL node of a {@link TestCluster}, and the faults it can have. Its role is not fixed:
 * a promotion changes it, and an old primary that is started again is a second primary until it
 * rejoins.
 *
 * <p>Threads may share it; its methods take turns. A method that throws {@link
 * IllegalStateException} says what the node was doing, with the last lines of its log.
 */
public final class PostgresServer {

  private static final int QUICK_SECONDS = 10;

  private final String name;
  private final String shard;
  private final PostgresSettings settings;
  private final Backend.PostgresControl control;

  PostgresServer(
      String name, String shard, PostgresSettings settings, Backend.PostgresControl control) {
    this.name = name;
    this.shard = shard;
    this.settings = settings;
    this.control = control;
  }

  /** The node's name, unique in the cluster: {@code shard-1-a}. */
  public String name() {
    return name;
  }

  /** The name of the shard it belongs to: {@code shard-1}. */
  public String shard() {
    return shard;
  }

  /** The address clients connect to. */
  public String host() {
    return control.address().host();
  }

  /** The port clients connect to; it stays the same over a restart. */
  public int port() {
    return control.address().port();
  }

  /** The JDBC URL of the application's database, without credentials. */
  public String url() {
    return "jdbc:postgresql://" + control.address() + "/" + settings.database();
  }

  /**
   * The application's user. It owns the database, may replicate, and is a member of {@code
   * pg_monitor}; it is no superuser.
   */
  public String user() {
    return PostgresSettings.USER;
  }

  /** The password of {@link #user}, the same on every node of the cluster. */
  public String password() {
    return settings.password();
  }

  /**
   * The id of the node's first process, the postmaster. For a container it is the one its engine's
   * machine knows.
   *
   * @throws IllegalStateException if it does not run
   */
  public long pid() {
    return control.pid();
  }

  /** Whether its process exists; a frozen one does. */
  public boolean isRunning() {
    return control.isRunning();
  }

  /**
   * Opens a superuser's connection to the application's database, for what a test asserts and
   * arranges. The application's own connections take {@link #user}. The caller closes it.
   *
   * @throws SQLException if no connection came up within 10 s
   */
  public Connection connect() throws SQLException {
    return connect(settings.database(), 0);
  }

  /**
   * Runs a statement as the superuser; what it creates, {@link #user} may use. Several, separated
   * by semicolons, are committed together.
   *
   * @throws IllegalStateException if PostgreSQL refused one or did not answer within 60 s
   */
  public void execute(String sql) {
    execute(settings.database(), sql);
  }

  /**
   * Ends all its processes by SIGKILL and returns when they are gone. What was committed is kept.
   * Without effect on a node that does not run.
   */
  public synchronized void kill() {
    control.kill();
  }

  /**
   * Shuts it down in an orderly way (fast: sessions are ended), replicas get all there is.
   *
   * @throws IllegalStateException if it is frozen or takes longer than 60 s
   */
  public synchronized void stop() {
    control.stop();
  }

  /**
   * Starts it again after {@link #kill} or {@link #stop} with the same port and data, and returns
   * when it accepts connections. What it was before, it is again: an old primary takes writes, even
   * when another node was promoted meanwhile.
   *
   * @throws IllegalStateException if it runs already or is not ready within 60 s
   */
  public synchronized void start() {
    control.start();
    awaitAnswer();
  }

  /**
   * Stops all its processes by SIGSTOP, as if the machine hung: connections stay open, new ones are
   * accepted by the kernel, and nothing is answered.
   *
   * @throws IllegalStateException if it does not run
   */
  public synchronized void freeze() {
    control.freeze();
  }

  /**
   * Lets a frozen node go on; it then does what it was asked meanwhile.
   *
   * @throws IllegalStateException if it does not run
   */
  public synchronized void thaw() {
    control.thaw();
  }

  /**
   * Makes this standby a primary and returns when it accepts writes. The old primary and the other
   * standbys are left as they are: see {@link #rejoin} and {@link #follow}.
   *
   * @throws IllegalStateException if it is no standby or not promoted within 60 s
   */
  public synchronized void promote() {
    requireStandby("promoted");
    if (!ask("SELECT pg_promote(true, 60)").equals("t")) {
      throw failed("was not promoted within 60 s", null);
    }
  }

  /**
   * Points this running standby at another primary and returns when it streams from there.
   *
   * @throws IllegalArgumentException if the two are not of one shard
   * @throws IllegalStateException if it is no standby, or does not stream within 60 s (for instance
   *     because it has replayed more than the new primary has: then {@link #rejoin})
   */
  public synchronized void follow(PostgresServer primary) {
    requireOtherOfShard(primary);
    requireStandby("pointed at " + primary.name);
    String connection =
        PostgresSettings.primaryConnection(
            name, primary.control.peerAddress(), settings.superuserPassword());
    execute(
        "postgres",
        "ALTER SYSTEM SET primary_conninfo = " + PostgresSettings.quoted(connection),
        "SELECT pg_reload_conf()");
    awaitStreaming(primary);
  }

  /**
   * Throws this node's data away, copies the primary's while that goes on working, starts the node
   * as its standby and returns when it streams. This is how an old primary comes back.
   *
   * @throws IllegalArgumentException if the two are not of one shard
   * @throws IllegalStateException if the copy fails or it does not stream within 60 s; the node is
   *     then without usable data and may rejoin again
   */
  public synchronized void rejoin(PostgresServer primary) {
    requireOtherOfShard(primary);
    control.kill();
    joinAsCopy(primary);
  }

  /**
   * Stops replay on this standby and returns when it has stopped; what the primary sends is kept.
   *
   * @throws IllegalStateException if it is no standby
   */
  public synchronized void pauseReplay() {
    requireStandby("paused");
    execute("SELECT pg_wal_replay_pause()");
    Waiting.until(
        Waiting.LONG,
        () -> ask("SELECT pg_get_wal_replay_pause_state()").equals("paused"),
        () -> failed("did not pause replay within 60 s", null).getMessage());
  }

  /**
   * Lets a paused standby replay again; it catches up by itself.
   *
   * @throws IllegalStateException if it is no standby
   */
  public synchronized void resumeReplay() {
    requireStandby("resumed");
    execute("SELECT pg_wal_replay_resume()");
  }

  /**
   * Makes every commit visible on this standby no earlier than this long after it was made. It
   * holds for commits from now on, over restarts too, until set again.
   *
   * @param delay in whole milliseconds; zero for none
   * @throws IllegalArgumentException if the delay is negative
   */
  public synchronized void replayDelay(Duration delay) {
    if (delay.isNegative()) {
      throw new IllegalArgumentException("A replay delay of " + delay + " is negative");
    }
    execute(
        "postgres",
        "ALTER SYSTEM SET recovery_min_apply_delay = '%dms'".formatted(delay.toMillis()),
        "SELECT pg_reload_conf()");
    // A new session is made after the postmaster has read the setting and told the replay process.
    String wanted = Long.toString(delay.toMillis());
    Waiting.until(
        Waiting.LONG,
        () ->
            ask("SELECT setting FROM pg_settings WHERE name = 'recovery_min_apply_delay'")
                .equals(wanted),
        () -> failed("did not take its replay delay within 60 s", null).getMessage());
  }

  /** The node's name and address. */
  @Override
  public String toString() {
    return name + " on " + control.address();
  }

  // What a cluster does while it starts.

  void initialise() {
    control.initialise();
  }

  void copyNeverStarted(PostgresServer source) {
    control.copyNeverStarted(source.control);
  }

  void standbyOf(PostgresServer primary) {
    control.standbyOf(primary.control);
  }

  /** The first start of a fresh primary: the application's role and database do not exist yet. */
  void startFresh() {
    control.start();
    execute(
        "postgres",
        "CREATE ROLE %s LOGIN REPLICATION PASSWORD %s IN ROLE pg_monitor, pg_create_subscription"
            .formatted(PostgresSettings.USER, PostgresSettings.quoted(settings.password())),
        "CREATE DATABASE %s OWNER %s".formatted(settings.database(), PostgresSettings.USER));
    // What a test makes as the superuser, the application can use, though it does not own it.
    execute(
        settings.database(),
        "ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO " + PostgresSettings.USER,
        "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO " + PostgresSettings.USER,
        "ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO " + PostgresSettings.USER);
  }

  void joinAsCopy(PostgresServer primary) {
    try (Connection superuser = primary.connect()) {
      control.copyOnline(primary.control, superuser);
    } catch (SQLException e) {
      throw primary.failed("gave no connection for a copy", e);
    }
    standbyOf(primary);
    startStandby(primary);
  }

  /** Starts a standby; returns when it streams and shows all the primary has committed so far. */
  void startStandby(PostgresServer primary) {
    // The insert position would not do: after a segment switch, which every copy makes, it is past
    // the next page's header, and an idle primary writes nothing there for up to 15 s.
    String position = primary.ask("SELECT pg_current_wal_flush_lsn()");
    control.start();
    awaitStreaming(primary);
    Waiting.until(
        Waiting.LONG,
        () -> ask("SELECT pg_last_wal_replay_lsn() >= '" + position + "'").equals("t"),
        () ->
            failed("did not replay up to " + position + " of " + primary + " within 60 s", null)
                .getMessage());
  }

  private void awaitStreaming(PostgresServer primary) {
    Supplier<String> source =
        () ->
            ask(
                "SELECT concat(sender_host, ':', sender_port) FROM pg_stat_wal_receiver WHERE status = 'streaming'");
    String wanted = primary.control.peerAddress().toString();
    Waiting.until(
        Waiting.LONG,
        () -> source.get().equals(wanted),
        () ->
            failed(
                    "does not stream from %s after 60 s (if its history has gone another way, let it rejoin)"
                        .formatted(primary),
                    null)
                .getMessage());
  }

  /** Whether it is a standby; null when it does not run, is frozen or gives no answer. */
  @Nullable Boolean observedStandby() {
    if (!control.isRunning() || control.isFrozen()) {
      return null;
    }
    try {
      return ask("SELECT pg_is_in_recovery()").equals("t");
    } catch (IllegalStateException noAnswer) {
      return null;
    }
  }

  /** The timeline a primary writes; the control file's lags behind after a promotion. */
  int observedTimeline() {
    return Integer.parseInt(
        ask("SELECT left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)"), 16);
  }

  String observedState() {
    if (!control.isRunning()) {
      return name + " is down";
    }
    return control.isFrozen() ? name + " is frozen" : name + " runs";
  }

  private void awaitAnswer() {
    ask("SELECT 1");
  }

  private void requireStandby(String what) {
    if (!ask("SELECT pg_is_in_recovery()").equals("t")) {
      throw new IllegalStateException(this + " is a primary; only a standby can be " + what);
    }
  }

  private void requireOtherOfShard(PostgresServer primary) {
    if (primary == this || !primary.shard.equals(shard)) {
      throw new IllegalArgumentException(
          "%s can follow another node of %s, not %s".formatted(name, shard, primary.name));
    }
  }

  private Connection connect(String database, int socketTimeoutSeconds) throws SQLException {
    return connect(control.address(), settings, database, socketTimeoutSeconds);
  }

  /** A superuser's connection to a server that need not have answered anybody yet. */
  static Connection connect(
      Address address, PostgresSettings settings, String database, int socketTimeoutSeconds)
      throws SQLException {
    PGSimpleDataSource source = new PGSimpleDataSource();
    source.setServerNames(new String[] {address.host()});
    source.setPortNumbers(new int[] {address.port()});
    source.setDatabaseName(database);
    source.setUser(PostgresSettings.SUPERUSER);
    source.setPassword(settings.superuserPassword());
    source.setApplicationName("waymark-testkit");
    source.setSslmode("disable");
    source.setGssEncMode(GSSEncMode.DISABLE.value);
    source.setConnectTimeout(QUICK_SECONDS);
    source.setLoginTimeout(QUICK_SECONDS);
    source.setSocketTimeout(socketTimeoutSeconds);
    return source.getConnection();
  }

  private void execute(String database, String... statements) {
    try (Connection connection = connect(database, Math.toIntExact(Waiting.LONG.toSeconds()));
        Statement statement = connection.createStatement()) {
      // One by one: ALTER SYSTEM and CREATE DATABASE refuse to share a transaction with others.
      for (String sql : statements) {
        statement.execute(sql);
      }
    } catch (SQLException e) {
      throw failed("did not run: " + String.join("; ", statements), e);
    }
  }

  /** The first column of the first row as text; empty without a row. */
  private String ask(String sql) {
    try (Connection connection =
            connect("postgres", Math.toIntExact(Waiting.LONG.toSeconds()) + 5);
        Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(sql)) {
      String value = rows.next() ? rows.getString(1) : null;
      return value == null ? "" : value;
    } catch (SQLException e) {
      throw failed("did not answer: " + sql, e);
    }
  }

  private IllegalStateException failed(String what, @Nullable SQLException cause) {
    String reason =
        cause == null ? "" : " (SQLSTATE " + cause.getSQLState() + ": " + cause.getMessage() + ")";
    return new IllegalStateException(
        "%s [running=%s, frozen=%s] %s%s. The last lines of its log:%n%s"
            .formatted(
                this, control.isRunning(), control.isFrozen(), what, reason, control.logTail()),
        cause);
  }
}
