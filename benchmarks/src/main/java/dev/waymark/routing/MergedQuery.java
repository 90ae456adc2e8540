package dev.waymark.routing;

import dev.waymark.Consistency;
import dev.waymark.Table;
import dev.waymark.routing.SqlScanner.Markers;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** One query over several shards, planned once, as the data source has it. Safe to share. */
public final class MergedQuery {
  private final ShardedDatabase database;
  private final String sql;
  private final Plan plan;

  private MergedQuery(ShardedDatabase database, String sql, Plan plan) {
    this.database = database;
    this.sql = sql;
    this.plan = plan;
  }

  /** Plans a query by the catalogue that a connection shows. */
  public static MergedQuery of(
      ShardedDatabase database, Map<String, Table> tables, Connection connection, String sql)
      throws SQLException {
    Planner planner =
        new Planner(
            tables,
            new SqlCatalogueLoader().load(connection),
            SqlScanner.Backslash.LITERAL,
            new SqlReader());
    Plan plan = planner.plan(sql, Markers.JDBC);
    if (plan.merged() == null) {
      throw new IllegalArgumentException(plan.describe());
    }
    return new MergedQuery(database, sql, plan);
  }

  /** Runs it with keys as parameters. */
  public ResultSet run(long... keys) throws SQLException {
    return database
        .queries()
        .query(
            sql,
            plan,
            new Keys(keys),
            new FanOut.Options(
                Markers.JDBC, 0, 0, 0, null, Consistency.session(), new FanOut.Canceller()));
  }

  private record Keys(long[] keys) implements BoundValues {
    @Override
    public int count() {
      return keys.length;
    }

    @Override
    public void set(PreparedStatement statement, int number, int at) throws SQLException {
      statement.setLong(at, keys[number - 1]);
    }

    @Override
    public @Nullable Object apply(int number) {
      return keys[number - 1];
    }
  }
}
