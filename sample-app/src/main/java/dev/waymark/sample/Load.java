package dev.waymark.sample;

import java.io.IOException;
import java.io.PrintStream;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;

/** Drives a service from a process of its own, and reports what came of it. */
public final class Load {
  private Load() {}

  /** Exit status 0: no request failed; 1: some did, or none went; 2: wrong arguments. */
  public static void main(String[] words) throws InterruptedException {
    Optional<LoadPlan> plan;
    try {
      plan = LoadPlan.parse(words);
    } catch (IllegalArgumentException wrong) {
      System.err.println(wrong.getMessage() + "\n\n" + LoadPlan.HELP);
      System.exit(2);
      return;
    }
    if (plan.isEmpty()) {
      System.out.println(LoadPlan.HELP);
      return;
    }
    CountDownLatch reported = new CountDownLatch(1);
    int status;
    try (LoadRun run = new LoadRun(plan.get())) {
      reportOnSignal(run, reported);
      LoadReport report = run.run(progress(System.out)::line);
      System.out.println("\n" + report);
      status = report.failed() == 0 && report.requests() > 0 ? 0 : 1;
    } catch (IOException noService) {
      System.err.println(
          "%s does not answer as it should: %s"
              .formatted(plan.get().urls().get(0), noService.toString()));
      status = 1;
    } finally {
      // Whatever ended it: the hook waits for this.
      reported.countDown();
    }
    // Within a hook's time this would wait for the hook, which has just been let go.
    System.exit(status);
  }

  private interface Progress {
    void line(String text);
  }

  /** On a terminal one line that changes; elsewhere a line each second. */
  private static Progress progress(PrintStream out) {
    return System.console() == null
        ? out::println
        : text -> {
          out.print("\r" + text + " ");
          out.flush();
        };
  }

  /** Ctrl-C ends the load, and the report comes all the same. */
  private static void reportOnSignal(LoadRun run, CountDownLatch reported) {
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  run.stop();
                  try {
                    reported.await();
                  } catch (InterruptedException endNow) {
                    Thread.currentThread().interrupt();
                  }
                },
                "load-stop"));
  }
}
