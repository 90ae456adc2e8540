package dev.waymark.sample;

import dev.waymark.ConfigurationException;
import dev.waymark.WaymarkConfig;
import dev.waymark.sample.Arguments.Run;
import io.javalin.util.JavalinBindException;
import java.io.PrintStream;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/** Starts the sample service, over a cluster of its own or over somebody's servers. */
public final class Main {
  /** How long closing may take after the drain before the process ends all the same. */
  private static final long PATIENCE_MILLIS = 20_000;

  /** How many ports the demo tries, one after the other. */
  private static final int PORTS_TO_TRY = 100;

  private Main() {}

  /** Runs until SIGINT or SIGTERM. Exit status 1: could not start; 2: wrong arguments. */
  public static void main(String[] words) {
    Arguments arguments;
    ServerSettings settings;
    try {
      arguments = Arguments.parse(words);
      settings = ServerSettings.from(System.getenv());
    } catch (IllegalArgumentException wrong) {
      System.err.println(wrong.getMessage() + "\n\n" + Arguments.HELP);
      System.exit(2);
      return;
    }
    AtomicBoolean stopping = new AtomicBoolean();
    CountDownLatch closed = new CountDownLatch(1);
    closeOnSignal(stopping, closed, settings.drain().toMillis() + PATIENCE_MILLIS);
    if (arguments.stopWithParent()) {
      stopWithParent();
    }
    try {
      // One after the other, so that closing happens on this thread, in the reverse order.
      if (arguments.run() instanceof Run.Serve serve) {
        serve(arguments, serve, settings);
      } else if (arguments.run() instanceof Run.Demo) {
        demo(arguments, settings);
      } else {
        System.out.println(Arguments.HELP);
      }
    } catch (Exception | Error failure) {
      // Whatever was opened has been closed on the way here.
      closed.countDown();
      if (stopping.get()) {
        return;
      }
      if (failure instanceof ConfigurationException || failure instanceof JavalinBindException) {
        System.err.println(failure.getMessage());
      } else {
        failure.printStackTrace();
      }
      System.exit(1);
    } finally {
      closed.countDown();
    }
  }

  private static void serve(Arguments arguments, Run.Serve run, ServerSettings settings)
      throws Exception {
    WaymarkConfig config = WaymarkConfig.load(run.config());
    if (run.initSchema()) {
      SampleSchema.install(config);
    }
    try (SampleService service =
        SampleService.open(config, settings, Telemetry.from(System.getenv()))) {
      // A port that others rely on: if it is taken, that is an error.
      WebServer server =
          arguments.livePage()
              ? service.serve(arguments.host(), arguments.port(), service.page())
              : service.serve(arguments.host(), arguments.port());
      System.out.printf("Serving on http://%s:%d%n", arguments.host(), server.port());
      untilInterrupted();
    }
  }

  private static void demo(Arguments arguments, ServerSettings settings) throws Exception {
    PrintStream out = System.out;
    try (Demo demo = Demo.start(out)) {
      demo.createSchema();
      try (SampleService service =
          SampleService.open(demo.config(), settings, Telemetry.from(System.getenv()))) {
        demo.load(service);
        WebServer server = serveOnNextFreePort(service, arguments, demo.page(service));
        demo.explain(service, "http://" + arguments.host() + ":" + server.port());
        untilInterrupted();
        System.out.println("\nStopping ...");
      }
    }
    System.out.println("Stopped: every server has ended, its files are removed.");
  }

  private static WebServer serveOnNextFreePort(
      SampleService service, Arguments arguments, LivePage page) {
    int first = arguments.port();
    for (int port = first; ; port++) {
      try {
        WebServer server = service.serve(arguments.host(), port, page);
        if (port != first) {
          System.out.printf("Port %d is taken; this is on port %d.%n", first, port);
        }
        return server;
      } catch (JavalinBindException taken) {
        if (port == first + PORTS_TO_TRY || port == 65_535) {
          throw taken;
        }
      }
    }
  }

  /**
   * A signal interrupts the main thread, wherever it is, and waits until it has closed what it
   * opened. A hook that did the closing itself would need to know how far the start had come.
   */
  private static void closeOnSignal(
      AtomicBoolean stopping, CountDownLatch closed, long patienceMillis) {
    Thread main = Thread.currentThread();
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  stopping.set(true);
                  main.interrupt();
                  try {
                    if (!closed.await(patienceMillis, TimeUnit.MILLISECONDS)) {
                      System.err.println("Closing takes too long; ending all the same.");
                    }
                  } catch (InterruptedException endNow) {
                    Thread.currentThread().interrupt();
                  }
                },
                "waymark-sample-stop"));
  }

  /** A build tool that is ended does not always end what it has started. */
  private static void stopWithParent() {
    ProcessHandle.current()
        .parent()
        .ifPresent(
            parent -> {
              Thread watcher =
                  new Thread(
                      () -> {
                        parent.onExit().join();
                        System.exit(0);
                      },
                      "waymark-sample-parent");
              watcher.setDaemon(true);
              watcher.start();
            });
  }

  private static void untilInterrupted() {
    try {
      new CountDownLatch(1).await();
    } catch (InterruptedException signal) {
      // The thread goes on, to close what it opened.
    }
  }
}
