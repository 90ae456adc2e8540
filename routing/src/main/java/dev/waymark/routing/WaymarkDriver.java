package dev.waymark.routing;

import dev.waymark.WaymarkConfig;
import dev.waymark.WaymarkException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.Driver;
import java.sql.DriverAction;
import java.sql.DriverManager;
import java.sql.DriverPropertyInfo;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.locks.ReentrantLock;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;

/**
 * The JDBC driver of {@code jdbc:waymark:file:<path>}: the database that a {@code waymark.yaml}
 * describes. Loaded by {@link DriverManager} as JDBC has it; safe to share.
 *
 * <p>The first connection to a file opens its database, all further ones share it, and it stays
 * open when they are closed: opening one for each connection would look at every server each time.
 * It is closed with {@code connection.unwrap(ShardedDatabase.class).close()}, after which the next
 * connection opens it anew, or with all others when the driver is deregistered. Its threads keep no
 * JVM alive.
 */
public final class WaymarkDriver implements Driver {
  static final String PREFIX = "jdbc:waymark:";
  static final int MAJOR = 0;
  static final int MINOR = 1;

  private static final String FILE = PREFIX + "file:";

  /**
   * Whichever instance {@link DriverManager} knows: JDBC itself keeps drivers for the whole JVM.
   */
  static {
    WaymarkDriver driver = new WaymarkDriver();
    DriverAction closing = driver::close;
    try {
      DriverManager.registerDriver(driver, closing);
    } catch (SQLException impossible) {
      throw new ExceptionInInitializerError(impossible);
    }
  }

  private final ReentrantLock lock = new ReentrantLock();
  private final Map<Path, ShardedDatabase> databases = new HashMap<>();

  /** A driver that has opened nothing. */
  public WaymarkDriver() {}

  @Override
  public boolean acceptsURL(@Nullable String url) {
    return url != null && url.startsWith(PREFIX);
  }

  /**
   * A connection to the database of a file.
   *
   * @param info may name the user of the file's credentials, and is not used otherwise
   * @return null if the URL is not of this driver
   * @throws SQLException SQLSTATE 08001 if the file cannot be used; the message says why
   */
  @Override
  public @Nullable Connection connect(@Nullable String url, @Nullable Properties info)
      throws SQLException {
    if (url == null || !acceptsURL(url)) {
      return null;
    }
    Path file = file(url);
    lock.lock();
    try {
      ShardedDatabase database = databases.get(file);
      if (database == null || database.isClosed()) {
        database = ShardedDatabase.open(WaymarkConfig.load(file));
        databases.put(file, database);
      }
      refuseOtherUser(database, info);
      return database.dataSource().getConnection();
    } catch (WaymarkException | IllegalStateException unusable) {
      throw new SQLException(
          "The database of " + url + " cannot be opened: " + unusable.getMessage(),
          "08001",
          unusable);
    } finally {
      lock.unlock();
    }
  }

  private static Path file(String url) throws SQLException {
    if (!url.startsWith(FILE) || url.length() == FILE.length()) {
      throw new SQLException(
          "A URL of Waymark names the file of its configuration, as in "
              + FILE
              + "/etc/app/waymark.yaml; this one does not: "
              + url,
          "08001");
    }
    try {
      return Path.of(url.substring(FILE.length())).toAbsolutePath().normalize();
    } catch (InvalidPathException invalid) {
      throw new SQLException("No path: " + invalid.getMessage(), "08001", invalid);
    }
  }

  private static void refuseOtherUser(ShardedDatabase database, @Nullable Properties info)
      throws SQLException {
    String user = info == null ? null : info.getProperty("user");
    if (user != null && !user.isEmpty() && !user.equals(database.user())) {
      throw new SQLException(
          "The user is part of the configuration; leave it out, or name the same", "28000");
    }
  }

  /** Closes what was opened. */
  private void close() {
    lock.lock();
    try {
      databases.values().forEach(ShardedDatabase::close);
      databases.clear();
    } finally {
      lock.unlock();
    }
  }

  @Override
  public DriverPropertyInfo[] getPropertyInfo(String url, Properties info) {
    return new DriverPropertyInfo[0];
  }

  @Override
  public int getMajorVersion() {
    return MAJOR;
  }

  @Override
  public int getMinorVersion() {
    return MINOR;
  }

  /** False, as statements over several shards may be refused. */
  @Override
  public boolean jdbcCompliant() {
    return false;
  }

  @Override
  public Logger getParentLogger() throws SQLFeatureNotSupportedException {
    throw new SQLFeatureNotSupportedException("Logging goes through SLF4J", "0A000");
  }
}
