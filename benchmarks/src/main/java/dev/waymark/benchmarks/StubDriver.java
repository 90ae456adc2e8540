package dev.waymark.benchmarks;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.sql.Array;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.Driver;
import java.sql.DriverManager;
import java.sql.DriverPropertyInfo;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.Executor;
import java.util.logging.Logger;
import org.jspecify.annotations.NullUnmarked;
import org.postgresql.core.TransactionState;
import org.postgresql.jdbc.PgConnection;
import sun.reflect.ReflectionFactory;

/**
 * Takes pgjdbc's place for its URLs and answers at once, so that what is measured is the way to a
 * connection and nothing else. The first host named is a primary, all others are replicas that have
 * everything.
 */
@NullUnmarked // A driver may be asked for and may return null almost anywhere.
final class StubDriver implements Driver {
  /** How the statement begins that is measured. */
  static final String KEYED = "SELECT name FROM users";

  private static final String PRIMARY = "//primary";
  private static final String VERSION = "18.0";

  private StubDriver() {}

  /** Puts the stub in the place of every driver of this JVM. */
  static void takeOver() throws SQLException {
    for (Driver driver : Collections.list(DriverManager.getDrivers())) {
      DriverManager.deregisterDriver(driver);
    }
    DriverManager.registerDriver(new StubDriver());
  }

  @Override
  public Connection connect(String url, Properties info) {
    return StubConnection.to(url.contains(PRIMARY));
  }

  @Override
  public boolean acceptsURL(String url) {
    return url.startsWith("jdbc:postgresql:");
  }

  @Override
  public DriverPropertyInfo[] getPropertyInfo(String url, Properties info) {
    return new DriverPropertyInfo[0];
  }

  @Override
  public int getMajorVersion() {
    return 1;
  }

  @Override
  public int getMinorVersion() {
    return 0;
  }

  @Override
  public boolean jdbcCompliant() {
    return false;
  }

  @Override
  public Logger getParentLogger() {
    return Logger.getGlobal();
  }

  /**
   * Is pgjdbc's connection by type, as routing asks for its transaction state, and has none of its
   * insides: no constructor is run, and every method that a pool calls is overridden.
   */
  private static final class StubConnection extends PgConnection {
    private boolean isPrimary;
    private boolean isClosed;
    private boolean autoCommit;
    private PreparedStatement keyed;

    private StubConnection() throws SQLException {
      super(null, new Properties(), "");
    }

    static StubConnection to(boolean isPrimary) {
      try {
        StubConnection made =
            (StubConnection)
                ReflectionFactory.getReflectionFactory()
                    .newConstructorForSerialization(
                        StubConnection.class, Object.class.getDeclaredConstructor())
                    .newInstance();
        made.isPrimary = isPrimary;
        made.autoCommit = true;
        return made;
      } catch (ReflectiveOperationException impossible) {
        throw new IllegalStateException(impossible);
      }
    }

    @Override
    public TransactionState getTransactionState() {
      return TransactionState.IDLE;
    }

    @Override
    public boolean isClosed() {
      return isClosed;
    }

    @Override
    public void close() {
      isClosed = true;
    }

    @Override
    public void abort(Executor executor) {
      isClosed = true;
    }

    @Override
    public boolean isValid(int timeout) {
      return !isClosed;
    }

    @Override
    public boolean getAutoCommit() {
      return autoCommit;
    }

    @Override
    public void setAutoCommit(boolean wanted) {
      autoCommit = wanted;
    }

    @Override
    public boolean isReadOnly() {
      return false;
    }

    @Override
    public void setReadOnly(boolean wanted) {}

    @Override
    public int getTransactionIsolation() {
      return TRANSACTION_READ_COMMITTED;
    }

    @Override
    public String getCatalog() {
      return "app";
    }

    @Override
    public String getSchema() {
      return "public";
    }

    @Override
    public int getNetworkTimeout() {
      return 0;
    }

    @Override
    public void setNetworkTimeout(Executor executor, int millis) {}

    @Override
    public void clearWarnings() {}

    @Override
    public void commit() {}

    @Override
    public void rollback() {}

    @Override
    public void rollback(Savepoint savepoint) {}

    @Override
    public <T> T unwrap(Class<T> type) {
      return type.cast(this);
    }

    @Override
    public boolean isWrapperFor(Class<?> type) {
      return type.isInstance(this);
    }

    @Override
    public Statement createStatement() {
      return statement();
    }

    @Override
    public PreparedStatement prepareStatement(String sql) {
      if (!sql.startsWith(KEYED)) {
        return statement();
      }
      PreparedStatement known = keyed;
      if (known == null) {
        known = keyedStatement();
        keyed = known;
      }
      return known;
    }

    @Override
    public DatabaseMetaData getMetaData() {
      return (DatabaseMetaData) stub(DatabaseMetaData.class, (proxy, method, arguments) -> VERSION);
    }

    /** Made once for each connection: it stands for the driver's, which keeps its own as well. */
    private static PreparedStatement keyedStatement() {
      ResultSet row =
          (ResultSet)
              stub(
                  ResultSet.class,
                  (proxy, method, arguments) ->
                      switch (method.getName()) {
                        case "next" -> true;
                        case "getString" -> "Ada";
                        default -> nothing(method);
                      });
      return (PreparedStatement)
          stub(
              PreparedStatement.class,
              (proxy, method, arguments) ->
                  method.getName().equals("executeQuery") ? row : nothing(method));
    }

    /** As much of a catalogue as it takes to see that a query of users by their id only reads. */
    private static ResultSet catalogue(String sql) {
      List<List<Object>> rows = new ArrayList<>();
      if (sql.contains("current_schemas")) {
        rows.add(List.of((Object) new String[] {"pg_catalog", "public"}));
      } else if (sql.contains("FROM pg_class") && sql.contains(">=")) {
        rows.add(
            Arrays.asList("public", "users", "r", "p", new String[] {"id", "name"}, null, null));
      } else if (sql.contains("FROM pg_operator")) {
        rows.add(List.of("=", false));
      }
      Iterator<List<Object>> left = rows.iterator();
      List<Object> row = new ArrayList<>();
      return (ResultSet)
          stub(
              ResultSet.class,
              (proxy, method, arguments) ->
                  switch (method.getName()) {
                    case "next" -> {
                      row.clear();
                      boolean isMore = left.hasNext();
                      if (isMore) {
                        row.addAll(left.next());
                      }
                      yield isMore;
                    }
                    case "getString", "getBoolean" -> row.get((int) arguments[0] - 1);
                    case "getArray" -> array(row.get((int) arguments[0] - 1));
                    default -> nothing(method);
                  });
    }

    private static Array array(Object elements) {
      return elements == null
          ? null
          : (Array) stub(Array.class, (proxy, method, arguments) -> elements);
    }

    /** Only what looks at a node comes here: not on the way that is measured. */
    private PreparedStatement statement() {
      return (PreparedStatement)
          stub(
              PreparedStatement.class,
              (proxy, method, arguments) ->
                  !method.getName().equals("executeQuery")
                      ? nothing(method)
                      : arguments == null ? look() : catalogue((String) arguments[0]));
    }

    private ResultSet look() {
      List<Object> row = List.of(!isPrimary, "0/1000000", 1, 42L, isPrimary ? 1_000L : 2_000L);
      return (ResultSet)
          stub(
              ResultSet.class,
              (proxy, method, arguments) ->
                  switch (method.getName()) {
                    case "next" -> true;
                    // How many processes watch is asked as an int, and in the first column.
                    case "getInt" ->
                        cell(row, arguments) instanceof Number number ? number.intValue() : 1;
                    case "getLong" -> ((Number) cell(row, arguments)).longValue();
                    case "getString" -> cell(row, arguments).toString();
                    case "getBoolean" -> cell(row, arguments);
                    default -> nothing(method);
                  });
    }

    private static Object cell(List<Object> row, Object[] arguments) {
      return row.get((int) arguments[0] - 1);
    }

    private static Object nothing(Method method) {
      Class<?> type = method.getReturnType();
      if (type == boolean.class) {
        return false;
      }
      return type == int.class ? (Object) 0 : type == long.class ? (Object) 0L : null;
    }

    private static Object stub(Class<?> type, InvocationHandler handler) {
      return Proxy.newProxyInstance(
          StubDriver.class.getClassLoader(), new Class<?>[] {type}, handler);
    }
  }
}
