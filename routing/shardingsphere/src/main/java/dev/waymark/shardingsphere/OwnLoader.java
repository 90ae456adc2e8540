package dev.waymark.shardingsphere;

/**
 * ShardingSphere looks for its parts by the thread's context loader, and what it does not find the
 * first time it never finds: whoever calls it may be on a thread whose loader does not know them,
 * as those of the common pool are in a jar of jars. So the thread has ours, until this is closed.
 */
final class OwnLoader implements AutoCloseable {
  private final Thread thread = Thread.currentThread();
  private final ClassLoader before = thread.getContextClassLoader();

  OwnLoader() {
    thread.setContextClassLoader(OwnLoader.class.getClassLoader());
  }

  @Override
  public void close() {
    thread.setContextClassLoader(before);
  }
}
