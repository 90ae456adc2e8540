package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.routing.Verdict.Effect;
import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.TestCluster;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Array;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
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
 * the misses to by {@code -Dwaymark.regression.report=/file}. It takes some minutes.
 */
@EnabledIfSystemProperty(named = "waymark.regression", matches = ".+")
class RegressionStatementsIT {
  /** What other scripts need comes first, in the order of PostgreSQL's own schedule. */
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

  /** They end, or reach beyond, the session or the server of a test. */
  private static final Set<String> LEFT_OUT = Set.of("psql", "tablespace", "stats", "compression");

  private static final Set<String> TRANSACTION_CONTROL =
      Set.of("begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release");

  private final Map<String, Integer> counts = new TreeMap<>();
  private final Map<String, Integer> reasons = new TreeMap<>();
  private final List<String> report = new ArrayList<>();

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
      Servers servers = new Servers(cluster.shard(0).primary(), cluster.shard(0).replicas().get(0));
      try (Connection watcher = servers.primary().connect();
          Connection standbyWatcher = servers.replica().connect()) {
        for (Path script : scripts(Path.of(System.getProperty("waymark.regression")))) {
          run(script, servers, watcher, standbyWatcher);
        }
      }
    }
    int accepted = counts.getOrDefault("accepted by the standby", 0);
    int byRule = counts.getOrDefault("accepted, and the primary's by rule: volatile", 0);
    int offloaded = counts.getOrDefault("accepted and offloaded", 0);
    System.out.println(counts);
    System.out.printf(
        "offloaded: %d of %d = %.2f %%; without those that call what the catalogue says is volatile:"
            + " %.2f %%%n",
        offloaded, accepted, 100.0 * offloaded / accepted, 100.0 * offloaded / (accepted - byRule));
    reasons.entrySet().stream()
        .sorted(Map.Entry.<String, Integer>comparingByValue().reversed())
        .limit(40)
        .forEach(each -> System.out.println(each.getValue() + "  " + each.getKey()));
    String file = System.getProperty("waymark.regression.report");
    if (file != null) {
      Files.write(Path.of(file), report);
    }
    assertThat(counts.getOrDefault("writes sent to the standby", 0)).isZero();
    assertThat(counts.getOrDefault("said to read, took a transaction id", 0)).isZero();
    assertThat(accepted).isGreaterThan(1_000);
    assertThat(offloaded).isGreaterThanOrEqualTo((int) (0.95 * (accepted - byRule)));
  }

  private record Servers(PostgresServer primary, PostgresServer replica) {}

  private static List<Path> scripts(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files
          .filter(file -> file.toString().endsWith(".sql"))
          .filter(file -> !LEFT_OUT.contains(name(file)))
          .sorted(
              Comparator.comparingInt(
                      (Path file) -> FIRST.contains(name(file)) ? FIRST.indexOf(name(file)) : 1_000)
                  .thenComparing(RegressionStatementsIT::name))
          .toList();
    }
  }

  private static String name(Path script) {
    return script.getFileName().toString().replace(".sql", "");
  }

  private void run(Path script, Servers servers, Connection watcher, Connection standbyWatcher)
      throws Exception {
    SqlCatalogueLoader loader = new SqlCatalogueLoader();
    SqlCatalogue catalogue = loader.load(watcher);
    List<String> path = null;
    boolean isDirty = false;
    try (Connection writer = simple(servers.primary());
        Connection reader = simple(servers.replica())) {
      for (String sql : PsqlScript.statements(script)) {
        String body = sql.endsWith(";") ? sql.substring(0, sql.length() - 1) : sql;
        if (body.matches(
            "(?is).*(_timeout|pg_terminate|pg_cancel|pg_reload_conf|alter system).*")) {
          continue;
        }
        if (path == null) {
          path = searchPath(reader);
        }
        Planner planner = planner(catalogue, path);
        Plan plan = planner.plan(body, SqlScanner.Markers.NONE);
        if (isDirty && plan.verdict().effect() != Effect.SESSION && isQuery(body)) {
          try {
            catalogue = loader.load(watcher);
            isDirty = false;
          } catch (SQLException locked) {
            // A schema change in progress: nothing is known until it has ended.
            catalogue = SqlCatalogue.unknown();
            count("catalogue locked");
          }
          plan = planner(catalogue, path).plan(body, SqlScanner.Markers.NONE);
        }
        boolean isControl = isControl(body);
        if (!isControl) {
          awaitReplay(watcher, standbyWatcher);
          String state = execute(reader, body);
          judge(script, body, plan, state);
        }
        if (plan.verdict().effect() != Effect.READS) {
          execute(writer, body);
        } else if (takesTransactionId(writer, body)) {
          count("said to read, took a transaction id");
          report.add("XID " + name(script) + ": " + oneLine(body));
        }
        isDirty |= plan.verdict().effect() == Effect.WRITES || isControl;
        if (plan.verdict().effect() != Effect.READS) {
          path = null;
        }
      }
    }
    // A session that has ended drops its temporary tables behind its client's back.
    Awaitility.await().atMost(30, TimeUnit.SECONDS).until(() -> sessions(watcher) == 1);
    awaitReplay(watcher, standbyWatcher);
  }

  private static long sessions(Connection watcher) throws SQLException {
    try (Statement statement = watcher.createStatement();
        ResultSet answer =
            statement.executeQuery(
                "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")) {
      answer.next();
      return answer.getLong(1);
    }
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

  private void judge(Path script, String body, Plan plan, String state) {
    count("judged");
    Verdict verdict = plan.verdict();
    boolean isUnreadable = plan.refusal() != null && plan.refusal().code() == SqlCode.UNREADABLE;
    if (isUnreadable) {
      count("not understood");
    }
    if (verdict.effect() == Effect.SESSION) {
      count("concern the session");
      return;
    }
    if (verdict.effect() == Effect.READS) {
      count("said to read");
      if (state.startsWith("25006") || state.contains("recovery")) {
        count("writes sent to the standby");
        report.add("SENT " + name(script) + ": " + oneLine(body) + " -- " + state);
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
        report.add("MISS " + name(script) + ": " + oneLine(body) + " -- " + verdict.why());
      }
    } else {
      count("refused by the standby");
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

  /** The SQLSTATE and message of the failure, or nothing. */
  private static String execute(Connection connection, String sql) {
    try (Statement statement = connection.createStatement()) {
      statement.setEscapeProcessing(false);
      statement.execute(sql);
      return "";
    } catch (SQLException failure) {
      return failure.getSQLState() + " " + failure.getMessage();
    }
  }

  private static List<String> searchPath(Connection reader) {
    try (Statement statement = reader.createStatement();
        ResultSet answer = statement.executeQuery("SELECT current_schemas(true)")) {
      answer.next();
      Array array = answer.getArray(1);
      return List.of((String[]) array.getArray());
    } catch (SQLException failure) {
      return List.of();
    }
  }

  /**
   * Runs a statement, and tells whether its own transaction has an id that it had not before. The
   * server's next id would tell of others as well: a session that ends drops its temporary tables.
   */
  private static boolean takesTransactionId(Connection writer, String sql) throws SQLException {
    BaseConnection server = writer.unwrap(BaseConnection.class);
    boolean isAlone = server.getTransactionState() == TransactionState.IDLE;
    if (isAlone) {
      execute(writer, "BEGIN");
    }
    String before = transactionId(writer);
    boolean isDone = execute(writer, sql).isEmpty();
    boolean takesOne = isDone && !transactionId(writer).equals(before);
    if (isAlone) {
      execute(writer, "COMMIT");
    }
    return takesOne;
  }

  /** The id of the session's transaction; none as well if that has failed. */
  private static String transactionId(Connection writer) {
    try (Statement statement = writer.createStatement();
        ResultSet answer =
            statement.executeQuery(
                "SELECT coalesce(pg_catalog.pg_current_xact_id_if_assigned()::text, 'none')")) {
      answer.next();
      return answer.getString(1);
    } catch (SQLException failed) {
      return "none";
    }
  }

  private static void awaitReplay(Connection watcher, Connection standbyWatcher)
      throws SQLException {
    String end;
    try (Statement statement = watcher.createStatement();
        ResultSet answer = statement.executeQuery("SELECT pg_current_wal_flush_lsn()::text")) {
      answer.next();
      end = answer.getString(1);
    }
    Awaitility.await()
        .pollInterval(200, TimeUnit.MICROSECONDS)
        .pollDelay(0, TimeUnit.MILLISECONDS)
        .atMost(30, TimeUnit.SECONDS)
        .until(() -> hasReplayed(standbyWatcher, end));
  }

  private static boolean hasReplayed(Connection standbyWatcher, String end) throws SQLException {
    try (Statement statement = standbyWatcher.createStatement();
        ResultSet answer =
            statement.executeQuery("SELECT pg_last_wal_replay_lsn() >= '" + end + "'")) {
      answer.next();
      return answer.getBoolean(1);
    }
  }
}
