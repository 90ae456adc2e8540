package dev.waymark.routing;

import dev.waymark.Consistency;
import dev.waymark.WaymarkException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * A read that somebody else holds as a connection: read-only, of a shard's primary, and cut off
 * after {@code calls.deadline}. Closing it gives it back.
 */
final class ReadConnection implements HeldWork<Connection, SQLException> {
  private final AtomicReference<@Nullable Lane> lane = new AtomicReference<>();

  private ReadConnection() {}

  static Connection of(Reads reads, LiveShard shard) throws SQLException {
    ReadConnection lent = new ReadConnection();
    Connection connection;
    try {
      connection = reads.hold(shard, Router.NO_KEY, Consistency.strong(), null, lent, 0);
    } catch (WaymarkException failure) {
      throw FanOut.asSql(failure);
    }
    return (Connection)
        Proxy.newProxyInstance(
            ReadConnection.class.getClassLoader(),
            new Class<?>[] {Connection.class},
            (proxy, method, arguments) -> {
              if (method.getName().equals("close")) {
                lent.close();
                return null;
              } else if (method.getName().equals("isClosed")) {
                return lent.isClosed();
              } else if (lent.isClosed() && method.getDeclaringClass() != Object.class) {
                // It may be somebody else's by now.
                throw new SQLException("The connection is closed", "08003");
              }
              try {
                return method.invoke(connection, arguments);
              } catch (InvocationTargetException failure) {
                throw failure.getTargetException();
              }
            });
  }

  @Override
  public Connection run(Connection connection) {
    return connection;
  }

  @Override
  public void held(Lane held) {
    lane.set(held);
  }

  private boolean isClosed() {
    return lane.get() == null;
  }

  private void close() {
    Lane held = lane.getAndSet(null);
    if (held != null) {
      held.close();
    }
  }
}
