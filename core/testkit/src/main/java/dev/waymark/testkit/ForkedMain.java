package dev.waymark.testkit;

import java.lang.reflect.InvocationTargetException;
import java.util.Arrays;

/**
 * The main class of a {@link ForkedJvm}: runs the wanted one, and ends the JVM when its parent is
 * gone, which a parent that was killed could not do itself.
 */
final class ForkedMain {

  private ForkedMain() {}

  /** Called by the JVM: the parent's process id, the wanted class, its arguments. */
  public static void main(String[] args) throws Throwable {
    long parent = Long.parseLong(args[0]);
    ProcessHandle.of(parent)
        .ifPresentOrElse(
            handle -> {
              var unused = handle.onExit().thenRun(() -> Runtime.getRuntime().halt(1));
            },
            () -> Runtime.getRuntime().halt(1));
    var main = Class.forName(args[1]).getDeclaredMethod("main", String[].class);
    main.setAccessible(true);
    try {
      main.invoke(null, (Object) Arrays.copyOfRange(args, 2, args.length));
    } catch (InvocationTargetException e) {
      throw e.getCause() == null ? e : e.getCause();
    }
  }
}
