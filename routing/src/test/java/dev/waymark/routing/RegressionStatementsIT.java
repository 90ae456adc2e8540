package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.routing.Verdict.Effect;
import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.TestCluster;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.postgresql.core.BaseConnection;
import org.postgresql.core.TransactionState;

/**
 * The classification figure: every statement of PostgreSQL's own regression tests is judged, tried
 * on a hot standby, and then run on the primary.
 *
 * <p>The scripts are PostgreSQL's and not kept here. Give their folder ({@code
 * src/test/regress/sql} of its sources) by {@code -Dwaymark.regression=/folder}, and what to write
 * the misses to by {@code -Dwaymark.regression.report=/file}. It takes some minutes. They run in
 * the order of the {@code parallel_schedule} beside the folder, or in it, if there is one.
 *
 * <p>What was not judged is counted by its reason. A statement that breaks the connection it runs
 * on is named in the report, and the script goes on over a new one.
 */
@EnabledIfSystemProperty(named = "waymark.regression", matches = ".+")
class RegressionStatementsIT {
  /** What other scripts need comes first, if there is no schedule. */
  private static final List<String> FIRST =
      List.of(
          "test_setup",
          "copy",
          "insert",
          "create_misc",
          "create_operator",
          "create_procedure",
          "create_table",
          "create_type",
          "create_schema",
          "create_index",
          "create_view",
          "create_aggregate",
          "create_function_sql",
          "create_cast",
          "constraints");

  /** They would end the sessions of the run, or let its statements wait without an end. */
  private static final Pattern DISTURBS =
      Pattern.compile("(?is).*(_timeout|pg_terminate|pg_cancel|pg_reload_conf|alter system).*");

  private static final Set<String> TRANSACTION_CONTROL =
      Set.of("begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release");

  private final Map<String, Integer> counts = new TreeMap<>();
  private final Map<String, Integer> leftOut = new TreeMap<>();
  private final Map<String, Integer> reasons = new TreeMap<>();
  private final Map<String, Integer> refusals = new TreeMap<>();
  private final List<String> report = new ArrayList<>();

  /** Where the run is. */
  private String at = "the start";

  @Test
  void noWriteIsSentToAReplicaAndWhatAReplicaAcceptsIsOffloaded() throws Exception {
    try (TestCluster cluster =
        TestCluster.builder()
            .shards(1)
            .replicas(1)
            .setting("autovacuum", "off")
            .setting("max_prepared_transactions", "5")
            .setting("hot_standby_feedback", "on")
            .setting("statement_timeout", "4s")
            .start()) {
      PostgresServer primary = cluster.shard(0).primary();
      PostgresServer replica = cluster.shard(0).replicas().get(0);
      try (Session watcher = new Session(primary, primary::connect);
          Session standbyWatcher = new Session(replica, replica::connect)) {
        for (Path script : scripts(Path.of(System.getProperty("waymark.regression")))) {
          count("scripts");
          run(script, new Servers(primary, replica, watcher, standbyWatcher));
        }
      }
    }
    int accepted = counts.getOrDefault("accepted by the standby", 0);
    int byRule = counts.getOrDefault("accepted, and the primary's by rule: volatile", 0);
    int offloaded = counts.getOrDefault("accepted and offloaded", 0);
    List<String> summary = new ArrayList<>();
    counts.forEach((what, times) -> summary.add(times + "  " + what));
    leftOut.forEach((why, times) -> summary.add(times + "  left out: " + why));
    summary.add(
        String.format(
            Locale.ROOT,
            "offloaded: %d of %d = %.2f %%; without those that call what the catalogue says is"
                + " volatile: %.2f %%",
            offloaded,
            accepted,
            100.0 * offloaded / accepted,
            100.0 * offloaded / (accepted - byRule)));
    summary.addAll(mostFrequent("accepted and not offloaded: ", reasons));
    summary.addAll(mostFrequent("refused by the standby: ", refusals));
    summary.forEach(System.out::println);
    String file = System.getProperty("waymark.regression.report");
    if (file != null) {
      report.addAll(0, summary);
      Files.write(Path.of(file), report);
    }
    assertThat(counts.getOrDefault("writes sent to the standby", 0)).isZero();
    assertThat(counts.getOrDefault("said to read, took a transaction id", 0)).isZero();
    assertThat(counts.getOrDefault("judged otherwise without what the server brings along", 0))
        .isZero();
    assertThat(accepted).isGreaterThan(1_000);
    assertThat(offloaded).isGreaterThanOrEqualTo((int) (0.95 * (accepted - byRule)));
  }

  private static List<String> mostFrequent(String what, Map<String, Integer> times) {
    return times.entrySet().stream()
        .sorted(Map.Entry.<String, Integer>comparingByValue().reversed())
        .limit(40)
        .map(each -> each.getValue() + "  " + what + each.getKey())
        .toList();
  }

  private record Servers(
      PostgresServer primary, PostgresServer replica, Session watcher, Session standbyWatcher) {}

  /** Opens a connection. */
  private interface Opening {
    Connection open() throws SQLException;
  }

  /** What is done with a connection. */
  private interface Work<T> {
    T on(Connection connection) throws SQLException;
  }

  /** A session of the run: a connection, and another one once a statement has broken it. */
  private final class Session implements AutoCloseable {
    private final PostgresServer server;
    private final Opening opening;
    private Connection connection;

    Session(PostgresServer server, Opening opening) throws SQLException {
      this.server = server;
      this.opening = opening;
      this.connection = opening.open();
    }

    <T> T ask(Work<T> work) throws SQLException {
      Connection asked = connection;
      try {
        return work.on(asked);
      } catch (SQLException failure) {
        if (asked.isClosed()) {
          count("broke the connection");
          report.add("BROKE " + server.name() + " at " + at + " -- " + message(failure));
          connection =
              Awaitility.await(server.name() + " takes connections again after " + at)
                  .atMost(60, TimeUnit.SECONDS)
                  .ignoreExceptionsInstanceOf(SQLException.class)
                  .until(opening::open, opened -> true);
        }
        throw failure;
      }
    }

    /** The same for what may as well be asked twice: it does not depend on what was before. */
    <T> T askAgain(Work<T> work) throws SQLException {
      Connection asked = connection;
      try {
        return ask(work);
      } catch (SQLException failure) {
        if (connection == asked) {
          throw failure;
        }
        return ask(work);
      }
    }

    /** The SQLSTATE and message of the failure, or nothing. */
    String execute(String sql) {
      try {
        return ask(
            on -> {
              try (Statement statement = on.createStatement()) {
                statement.setEscapeProcessing(false);
                statement.execute(sql);
                return "";
              }
            });
      } catch (SQLException failure) {
        return message(failure);
      }
    }

    boolean isInTransaction() throws SQLException {
      return ask(on -> on.unwrap(BaseConnection.class).getTransactionState())
          != TransactionState.IDLE;
    }

    @Override
    public void close() throws SQLException {
      connection.close();
    }
  }

  private static String message(SQLException failure) {
    return failure.getSQLState() + " " + failure.getMessage();
  }

  private static List<Path> scripts(Path folder) throws IOException {
    List<String> order = schedule(folder);
    try (Stream<Path> files = Files.list(folder)) {
      return files
          .filter(file -> file.toString().endsWith(".sql"))
          .sorted(
              Comparator.comparingInt(
                      (Path file) ->
                          order.contains(name(file)) ? order.indexOf(name(file)) : order.size())
                  .thenComparing(RegressionStatementsIT::name))
          .toList();
    }
  }

  private static List<String> schedule(Path folder) throws IOException {
    for (Path place : List.of(folder.toAbsolutePath().resolveSibling("."), folder)) {
      Path schedule = place.resolve("parallel_schedule");
      if (Files.exists(schedule)) {
        return Files.readAllLines(schedule).stream()
            .filter(line -> line.startsWith("test:"))
            .flatMap(line -> Stream.of(line.substring(5).strip().split("\\s+")))
            .toList();
      }
    }
    return FIRST;
  }

  private static String name(Path script) {
    return script.getFileName().toString().replace(".sql", "");
  }

  private void run(Path path, Servers servers) throws Exception {
    Session watcher = servers.watcher();
    // What the server brings along is read once for a script, and never by the loader of the rest:
    // so the catalogue is had both without it, as services begin, and with it.
    BuiltIns builtIns = watcher.askAgain(new SqlCatalogueLoader()::loadBuiltIns);
    SqlCatalogueLoader loader = new SqlCatalogueLoader();
    SqlCatalogue made = watcher.askAgain(loader::loadMade);
    List<String> searchPath = null;
    boolean isDirty = false;
    PsqlScript script = PsqlScript.of(path);
    script.leftOut().forEach((why, times) -> leftOut.merge(why, times, Integer::sum));
    at = "the start of " + name(path);
    try (Session writer = new Session(servers.primary(), () -> simple(servers.primary()));
        Session reader = new Session(servers.replica(), () -> simple(servers.replica()))) {
      for (String sql : script.statements()) {
        String body = sql.endsWith(";") ? sql.substring(0, sql.length() - 1) : sql;
        at = name(path) + ": " + oneLine(body);
        if (DISTURBS.matcher(body).matches()) {
          leftOut.merge("it would disturb the run", 1, Integer::sum);
          continue;
        }
        if (searchPath == null) {
          searchPath = searchPath(reader);
        }
        Plan plan = plan(body, made, builtIns, searchPath);
        if (isDirty && plan.verdict().effect() != Effect.SESSION && isQuery(body)) {
          try {
            made = watcher.askAgain(loader::loadMade);
            isDirty = false;
          } catch (SQLException locked) {
            // A schema change in progress: nothing is known until it has ended.
            made = SqlCatalogue.unknown();
            count("catalogue locked");
          }
          plan = plan(body, made, builtIns, searchPath);
        }
        boolean isControl = isControl(body);
        if (isControl) {
          leftOut.merge("transaction control, which only the primary is sent", 1, Integer::sum);
        } else {
          awaitReplay(watcher, servers.standbyWatcher());
          judge(body, plan, reader.execute(body));
        }
        if (plan.verdict().effect() != Effect.READS) {
          writer.execute(body);
        } else if (takesTransactionId(writer, body)) {
          count("said to read, took a transaction id");
          report.add("XID " + at);
        }
        isDirty |= plan.verdict().effect() == Effect.WRITES || isControl;
        if (plan.verdict().effect() != Effect.READS) {
          searchPath = null;
        }
      }
    }
    at = "the end of " + name(path);
    // A session that has ended drops its temporary tables behind its client's back.
    Awaitility.await(at).atMost(30, TimeUnit.SECONDS).until(() -> sessions(watcher) == 1);
    awaitReplay(watcher, servers.standbyWatcher());
  }

  private static long sessions(Session watcher) throws SQLException {
    return Long.parseLong(
        one(
            watcher,
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"));
  }

  /** The plan, for which it must not matter whether what the server brings along has been read. */
  private Plan plan(String sql, SqlCatalogue made, BuiltIns builtIns, List<String> searchPath) {
    if (made.builtIns().areRead()) {
      return planner(made, searchPath).plan(sql, SqlScanner.Markers.NONE);
    }
    Plan plan = planner(made.with(builtIns), searchPath).plan(sql, SqlScanner.Markers.NONE);
    try {
      Verdict without = planner(made, searchPath).plan(sql, SqlScanner.Markers.NONE).verdict();
      if (!without.equals(plan.verdict())) {
        count("judged otherwise without what the server brings along");
        report.add("OTHERWISE " + at + " -- " + without + ", " + plan.verdict());
      }
    } catch (BuiltIns.UnreadException needed) {
      count("planned with what the server brings along");
    }
    return plan;
  }

  private static Planner planner(SqlCatalogue catalogue, List<String> path) {
    return new Planner(
        Map.of(),
        catalogue.withSearchPath(path),
        SqlScanner.Backslash.LITERAL,
        SmallCatalogue.READER);
  }

  private static boolean isQuery(String body) {
    return body.replaceAll("(?s)/\\*.*?\\*/|--[^\\n]*", "")
        .strip()
        .matches("(?is)^(select|with|values|table|explain|\\().*");
  }

  private static boolean isControl(String body) {
    String bare = body.replaceAll("(?s)/\\*.*?\\*/|--[^\\n]*", "").strip().toLowerCase();
    return TRANSACTION_CONTROL.contains(bare.split("\\W", 2)[0]);
  }

  private void judge(String body, Plan plan, String state) {
    count("judged");
    Verdict verdict = plan.verdict();
    boolean isUnreadable = plan.refusal() != null && plan.refusal().code() == SqlCode.UNREADABLE;
    if (isUnreadable) {
      count("not understood");
      report.add("UNREAD " + at + " -- " + plan.refusal().reason());
    }
    if (verdict.effect() == Effect.SESSION) {
      count("concern the session");
      return;
    }
    if (verdict.effect() == Effect.READS) {
      count("said to read");
      if (state.startsWith("25006") || state.contains("recovery")) {
        count("writes sent to the standby");
        report.add("SENT " + at + " -- " + state);
      }
    }
    if (state.isEmpty()) {
      count("accepted by the standby");
      if (verdict.effect() == Effect.READS) {
        count("accepted and offloaded");
      } else {
        reasons.merge(verdict.why(), 1, Integer::sum);
        if (verdict.why().matches("the function \\w+ is volatile|(CALL|DO) is no query")) {
          count("accepted, and the primary's by rule: volatile");
        }
        report.add("MISS " + at + " -- " + verdict.why());
      }
    } else if (state.contains("COPY commands are only supported")) {
      count("COPY, which is no statement to JDBC");
    } else {
      count("refused by the standby");
      refusals.merge(state.split(" ", 2)[0], 1, Integer::sum);
    }
  }

  private void count(String what) {
    counts.merge(what, 1, Integer::sum);
  }

  private static String oneLine(String sql) {
    String line = sql.replaceAll("\\s+", " ");
    return line.length() > 300 ? line.substring(line.length() - 300) : line;
  }

  private static Connection simple(PostgresServer server) throws SQLException {
    Properties properties = new Properties();
    properties.setProperty("user", server.user());
    properties.setProperty("password", server.password());
    // The statement goes to the server as it is.
    properties.setProperty("preferQueryMode", "simple");
    properties.setProperty("socketTimeout", "30");
    return DriverManager.getConnection(server.url(), properties);
  }

  private static List<String> searchPath(Session reader) {
    try {
      return reader.ask(
          on -> {
            try (Statement statement = on.createStatement();
                ResultSet answer = statement.executeQuery("SELECT current_schemas(true)")) {
              answer.next();
              return List.of((String[]) answer.getArray(1).getArray());
            }
          });
    } catch (SQLException failure) {
      return List.of();
    }
  }

  private static String one(Session session, String sql) throws SQLException {
    return session.askAgain(
        on -> {
          try (Statement statement = on.createStatement();
              ResultSet answer = statement.executeQuery(sql)) {
            answer.next();
            return answer.getString(1);
          }
        });
  }

  /**
   * Runs a statement, and tells whether its own transaction has an id that it had not before. The
   * server's next id would tell of others as well: a session that ends drops its temporary tables.
   */
  private static boolean takesTransactionId(Session writer, String sql) throws SQLException {
    boolean isAlone = !writer.isInTransaction();
    if (isAlone) {
      writer.execute("BEGIN");
    }
    String before = transactionId(writer);
    boolean isDone = writer.execute(sql).isEmpty();
    boolean takesOne = isDone && !transactionId(writer).equals(before);
    if (isAlone) {
      writer.execute("COMMIT");
    }
    return takesOne;
  }

  /** The id of the session's transaction; none as well if that has failed. */
  private static String transactionId(Session writer) {
    try {
      return one(
          writer, "SELECT coalesce(pg_catalog.pg_current_xact_id_if_assigned()::text, 'none')");
    } catch (SQLException failed) {
      return "none";
    }
  }

  private static void awaitReplay(Session watcher, Session standbyWatcher) throws SQLException {
    String end = one(watcher, "SELECT pg_current_wal_flush_lsn()::text");
    String hasReplayed = "SELECT (pg_last_wal_replay_lsn() >= '" + end + "')::text";
    Awaitility.await()
        .pollInterval(200, TimeUnit.MICROSECONDS)
        .pollDelay(0, TimeUnit.MILLISECONDS)
        .atMost(30, TimeUnit.SECONDS)
        .until(() -> one(standbyWatcher, hasReplayed).equals("true"));
  }
}
