package dev.waymark.sample;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The processes of the service that take requests, as a load balancer would know them: each is
 * asked often whether it is ready. Safe to share.
 */
final class LoadTargets implements AutoCloseable {
  private static final long PERIOD_MILLIS = 100;
  private static final Duration PATIENCE = Duration.ofSeconds(2);

  private final HttpClient http;
  private final List<URI> all;
  private final AtomicInteger turn = new AtomicInteger();
  private final ScheduledExecutorService looker;
  private volatile List<URI> ready;

  /** With a single URL nobody is asked: it takes everything. */
  LoadTargets(HttpClient http, List<URI> all) {
    this.http = http;
    this.all = all;
    this.ready = all;
    this.looker =
        Executors.newSingleThreadScheduledExecutor(
            work -> {
              Thread thread = new Thread(work, "load-targets");
              thread.setDaemon(true);
              return thread;
            });
    if (all.size() > 1) {
      look();
      var unused =
          looker.scheduleWithFixedDelay(
              this::look, PERIOD_MILLIS, PERIOD_MILLIS, TimeUnit.MILLISECONDS);
    }
  }

  /** The next one in turn. If none is ready it is any of them, whose answer then says so. */
  URI next() {
    List<URI> candidates = ready;
    return candidates.get(Math.floorMod(turn.getAndIncrement(), candidates.size()));
  }

  @Override
  public void close() {
    looker.shutdownNow();
  }

  private void look() {
    List<URI> found = new ArrayList<>();
    for (URI each : all) {
      if (isReady(each)) {
        found.add(each);
      }
    }
    ready = found.isEmpty() ? all : List.copyOf(found);
  }

  private boolean isReady(URI url) {
    HttpRequest request =
        HttpRequest.newBuilder(url.resolve("/health/ready")).timeout(PATIENCE).GET().build();
    try {
      return http.send(request, BodyHandlers.discarding()).statusCode() == 200;
    } catch (IOException unreachable) {
      return false;
    } catch (InterruptedException stop) {
      Thread.currentThread().interrupt();
      return false;
    }
  }
}
