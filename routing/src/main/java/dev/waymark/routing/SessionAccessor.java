package dev.waymark.routing;

import io.micrometer.context.ThreadLocalAccessor;
import org.jspecify.annotations.Nullable;

/**
 * Carries the bound session of one database wherever Micrometer's context propagation goes: Spring,
 * Reactor, wrapped executors. Register it once:
 *
 * <pre>{@code
 * ContextRegistry.getInstance().registerThreadLocalAccessor(new SessionAccessor(database, "shop"));
 * }</pre>
 *
 * <p>Needs {@code io.micrometer:context-propagation}, which this library does not bring. Safe to
 * share.
 */
public final class SessionAccessor implements ThreadLocalAccessor<Session> {
  private final ThreadLocal<@Nullable Session> bound;
  private final String key;

  /**
   * An accessor for a database.
   *
   * @param name tells this database from others of the same process
   */
  public SessionAccessor(ShardedDatabase database, String name) {
    this(database.bound(), name);
  }

  SessionAccessor(ThreadLocal<@Nullable Session> bound, String name) {
    this.bound = bound;
    this.key = "waymark.session." + name;
  }

  @Override
  public Object key() {
    return key;
  }

  @Override
  public @Nullable Session getValue() {
    return bound.get();
  }

  @Override
  public void setValue(Session session) {
    bound.set(session);
  }

  @Override
  public void setValue() {
    bound.remove();
  }
}
