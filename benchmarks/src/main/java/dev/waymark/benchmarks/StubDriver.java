package dev.waymark.benchmarks;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.Driver;
import java.sql.DriverManager;
import java.sql.DriverPropertyInfo;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.Collections;
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
  private static final String PRIMARY = "//primary";

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
      return statement();
    }

    /** Only what looks at a node comes here: not on the way that is measured. */
    private PreparedStatement statement() {
      return (PreparedStatement)
          stub(
              PreparedStatement.class,
              (proxy, method, arguments) ->
                  method.getName().equals("executeQuery") ? look() : nothing(method));
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
