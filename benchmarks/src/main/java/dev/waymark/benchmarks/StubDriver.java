package dev.waymark.benchmarks;

import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.Driver;
import java.sql.DriverManager;
import java.sql.DriverPropertyInfo;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.SQLWarning;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.Collections;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.Executor;
import java.util.logging.Logger;
import org.jspecify.annotations.NullUnmarked;
import org.jspecify.annotations.Nullable;
import org.postgresql.core.TransactionState;
import org.postgresql.jdbc.PgConnection;
import sun.reflect.ReflectionFactory;

/**
 * Takes pgjdbc's place for its URLs and answers at once, so that what is measured is the way to a
 * connection and nothing else. Hosts are {@code primary-<shard>} and {@code
 * replica-<shard>-<number>}; replicas have everything, and every user exists.
 */
@NullUnmarked // A driver may be asked for and may return null almost anywhere.
final class StubDriver implements Driver {
  private static final String PRIMARY = "//primary-";

  private StubDriver() {}

  /** Puts the stub in the place of every driver for PostgreSQL in this JVM. */
  static void takeOver() throws SQLException {
    for (Driver driver : Collections.list(DriverManager.getDrivers())) {
      if (driver.acceptsURL("jdbc:postgresql://primary-1:5432/app")) {
        DriverManager.deregisterDriver(driver);
      }
    }
    DriverManager.registerDriver(new StubDriver());
  }

  @Override
  public Connection connect(String url, Properties info) {
    return acceptsURL(url) ? StubConnection.to(url) : null;
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
    private String url;
    private int shard;
    private boolean isPrimary;
    private FindStatement find;
    private boolean isClosed;
    private boolean autoCommit;

    private StubConnection() throws SQLException {
      super(null, new Properties(), "");
    }

    static StubConnection to(String url) {
      try {
        StubConnection made =
            (StubConnection)
                ReflectionFactory.getReflectionFactory()
                    .newConstructorForSerialization(
                        StubConnection.class, Object.class.getDeclaredConstructor())
                    .newInstance();
        made.url = url;
        made.shard = Integer.parseInt(url.replaceFirst(".*//[a-z]+-([0-9]+).*", "$1"));
        made.isPrimary = url.contains(PRIMARY);
        made.find = new FindStatement(made);
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
    public DatabaseMetaData getMetaData() {
      return StubCatalogue.metaData(url);
    }

    @Override
    public Statement createStatement() {
      return statement(null);
    }

    @Override
    public Statement createStatement(int type, int concurrency) {
      return statement(null);
    }

    @Override
    public Statement createStatement(int type, int concurrency, int holdability) {
      return statement(null);
    }

    @Override
    public PreparedStatement prepareStatement(String sql) {
      return sql.equals(Users.FIND) ? find.opened() : statement(sql);
    }

    @Override
    public PreparedStatement prepareStatement(String sql, int type, int concurrency) {
      return prepareStatement(sql);
    }

    @Override
    public PreparedStatement prepareStatement(
        String sql, int type, int concurrency, int holdability) {
      return prepareStatement(sql);
    }

    /** What looks at a node or its catalogue: not on the way that is measured. */
    private PreparedStatement statement(@Nullable String prepared) {
      return StubCatalogue.statement(
          prepared, () -> List.of(!isPrimary, "0/1000000", 1, 42L + shard, startedAt()));
    }

    private long startedAt() {
      return 1_000L * shard + (isPrimary ? 1 : url.endsWith("-1:5432/app") ? 2 : 3);
    }
  }

  /**
   * The one statement that is measured. A connection has one, used again and again, and so has it
   * its row: the driver's own objects shall not be in the figures.
   */
  private static final class FindStatement extends UnaskedStatement {
    private final Connection connection;
    private final FoundUser row = new FoundUser(this);
    private long key;
    private boolean isOpen;

    FindStatement(Connection connection) {
      this.connection = connection;
    }

    FindStatement opened() {
      isOpen = true;
      return this;
    }

    @Override
    public void setLong(int parameter, long value) {
      key = value;
    }

    @Override
    public void setObject(int parameter, Object value) {
      key = ((Number) value).longValue();
    }

    @Override
    public ResultSet executeQuery() {
      row.found(key);
      return row;
    }

    @Override
    public boolean execute() {
      row.found(key);
      return true;
    }

    @Override
    public ResultSet getResultSet() {
      return row;
    }

    @Override
    public boolean getMoreResults() {
      return false;
    }

    @Override
    public int getUpdateCount() {
      return -1;
    }

    @Override
    public Connection getConnection() {
      return connection;
    }

    @Override
    public int getFetchSize() {
      return 0;
    }

    @Override
    public void setFetchSize(int rows) {}

    @Override
    public int getMaxRows() {
      return 0;
    }

    @Override
    public void setMaxRows(int rows) {}

    @Override
    public int getQueryTimeout() {
      return 0;
    }

    @Override
    public void setQueryTimeout(int seconds) {}

    @Override
    public void setEscapeProcessing(boolean isOn) {}

    @Override
    public boolean isPoolable() {
      return true;
    }

    @Override
    public void setPoolable(boolean isWanted) {}

    @Override
    public void clearParameters() {}

    @Override
    public void clearWarnings() {}

    @Override
    public SQLWarning getWarnings() {
      return null;
    }

    @Override
    public void cancel() {}

    @Override
    public boolean isClosed() {
      return !isOpen;
    }

    @Override
    public void close() {
      isOpen = false;
    }
  }

  /** One user: the key that was asked for, and a name. */
  private static final class FoundUser extends UnaskedRows {
    private final Statement statement;
    private long id;
    private boolean isBefore;
    private boolean isOpen;

    FoundUser(Statement statement) {
      this.statement = statement;
    }

    void found(long key) {
      id = key;
      isBefore = true;
      isOpen = true;
    }

    @Override
    public boolean next() {
      boolean isFirst = isBefore;
      isBefore = false;
      return isFirst;
    }

    @Override
    public long getLong(int column) {
      return id;
    }

    @Override
    public String getString(int column) {
      return "user";
    }

    @Override
    public Object getObject(int column) {
      return column == 1 ? (Object) id : "user";
    }

    @Override
    public boolean wasNull() {
      return false;
    }

    @Override
    public int getType() {
      return TYPE_FORWARD_ONLY;
    }

    @Override
    public int getConcurrency() {
      return CONCUR_READ_ONLY;
    }

    @Override
    public ResultSetMetaData getMetaData() {
      return StubCatalogue.USER_COLUMNS;
    }

    @Override
    public Statement getStatement() {
      return statement;
    }

    @Override
    public SQLWarning getWarnings() {
      return null;
    }

    @Override
    public void clearWarnings() {}

    @Override
    public boolean isClosed() {
      return !isOpen;
    }

    @Override
    public void close() {
      isOpen = false;
    }
  }
}
