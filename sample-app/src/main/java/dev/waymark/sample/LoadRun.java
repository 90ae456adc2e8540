package dev.waymark.sample;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.HdrHistogram.Histogram;
import org.HdrHistogram.Recorder;

/**
 * One load, from its plan to its report: clients that read and change users over HTTP, each with a
 * session of its own, as browsers would. One thread runs it; any may stop it.
 */
final class LoadRun implements AutoCloseable {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final long LONGEST_MICROS = 120_000_000;
  private static final Duration PATIENCE = Duration.ofSeconds(30);
  private static final int LARGEST_PAGE = 100;

  private final LoadPlan plan;
  private final HttpClient http;
  private final LoadTargets targets;
  private final CountDownLatch stop = new CountDownLatch(1);

  private final Recorder readMicros = new Recorder(LONGEST_MICROS, 3);
  private final Recorder writeMicros = new Recorder(LONGEST_MICROS, 3);
  private final ConcurrentMap<String, LongAdder> readsByTier = new ConcurrentHashMap<>();
  private final ConcurrentMap<String, LongAdder> readsByNode = new ConcurrentHashMap<>();
  private final ConcurrentMap<String, LongAdder> writesByNode = new ConcurrentHashMap<>();
  private final ConcurrentMap<String, LongAdder> errors = new ConcurrentHashMap<>();

  LoadRun(LoadPlan plan) {
    this.plan = plan;
    this.http =
        HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(Duration.ofSeconds(5))
            .build();
    this.targets = new LoadTargets(http, plan.urls());
  }

  private record Target(long id, String email) {}

  /**
   * Runs until the plan's time is over, or somebody stops it.
   *
   * @param progress is told once a second how it goes, in one line
   * @throws IOException if the service does not give its users
   */
  LoadReport run(Consumer<String> progress) throws IOException, InterruptedException {
    List<Target> users = users();
    Zipf zipf = new Zipf(users.size(), plan.skew());
    // Otherwise the first users, and so the first shard, would have all the readers.
    Collections.shuffle(users, new Random(plan.seed()));

    long start = System.nanoTime();
    long end = plan.duration().map(d -> start + d.toNanos()).orElse(Long.MAX_VALUE);
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < plan.clients(); i++) {
      int client = i;
      Thread thread =
          new Thread(
              () -> new OneClient(client, users, zipf).sendAll(start, end), "load-client-" + i);
      thread.setDaemon(true);
      threads.add(thread);
      thread.start();
    }
    Totals totals = report(start, end, progress);
    for (Thread thread : threads) {
      thread.join();
    }
    totals.collect();
    return totals.report(Duration.ofNanos(System.nanoTime() - start));
  }

  /** Ends the run soon; what is under way is waited for. */
  void stop() {
    stop.countDown();
  }

  @Override
  public void close() {
    stop();
    targets.close();
  }

  // ---- users ----------------------------------------------------------------------------------

  private List<Target> users() throws IOException, InterruptedException {
    List<Target> users = new ArrayList<>();
    String page = "";
    do {
      HttpResponse<String> newest =
          http.send(
              request("/api/v2/users?limit=" + Math.min(LARGEST_PAGE, plan.users()) + page)
                  .GET()
                  .build(),
              BodyHandlers.ofString());
      if (newest.statusCode() != 200) {
        throw new IOException("The service gave no users, but " + what(newest));
      }
      JsonNode body = JSON.readTree(newest.body());
      for (JsonNode user : body.path("data")) {
        if (users.size() < plan.users()) {
          users.add(target(user));
        }
      }
      page = "&page=" + body.path("meta").path("next").asText();
    } while (users.size() < plan.users() && !page.equals("&page="));
    String run = Long.toString(System.nanoTime(), 36);
    for (int i = users.size(); i < plan.users() && stop.getCount() > 0; i++) {
      String email = "load." + run + "." + i + "@example.org";
      HttpResponse<String> created =
          http.send(
              request("/api/v2/users")
                  .header("Content-Type", "application/json")
                  .POST(BodyPublishers.ofString(draft("Load " + i, email)))
                  .build(),
              BodyHandlers.ofString());
      if (created.statusCode() != 201) {
        throw new IOException("The service created no user, but gave " + what(created));
      }
      users.add(target(data(created)));
    }
    return users;
  }

  private static Target target(JsonNode user) {
    return new Target(user.path("id").asLong(), user.path("email").asText());
  }

  private static String draft(String name, String email) {
    return JSON.createObjectNode().put("name", name).put("email", email).toString();
  }

  private static JsonNode data(HttpResponse<String> response) throws IOException {
    return JSON.readTree(response.body()).path("data");
  }

  private HttpRequest.Builder request(String path) {
    URI target = targets.next();
    return HttpRequest.newBuilder(URI.create(target + path))
        .timeout(PATIENCE)
        .header("Waymark-Explain", "true");
  }

  /** Status and code, which say more together than either alone. */
  private static String what(HttpResponse<String> response) {
    String code;
    try {
      JsonNode body = JSON.readTree(response.body());
      code = body.path("code").asText();
    } catch (JsonProcessingException notJson) {
      code = "";
    }
    return (response.statusCode() + " " + code).trim();
  }

  // ---- one client -----------------------------------------------------------------------------

  private final class OneClient {
    private final int number;
    private final List<Target> users;
    private final Zipf zipf;
    private final SplittableRandom random;
    private String session = "";

    OneClient(int number, List<Target> users, Zipf zipf) {
      this.number = number;
      this.users = users;
      this.zipf = zipf;
      this.random = new SplittableRandom(plan.seed() * 1_000_003 + number);
    }

    void sendAll(long start, long end) {
      long interval =
          plan.perSecond() == 0 ? 0 : TimeUnit.SECONDS.toNanos(plan.clients()) / plan.perSecond();
      // Clients that all started at once would send in bursts.
      long due = start + interval * number / plan.clients();
      while (stop.getCount() > 0) {
        long now = System.nanoTime();
        if (interval > 0) {
          while (due - now > 0 && stop.getCount() > 0) {
            LockSupport.parkNanos(Math.min(due - now, TimeUnit.MILLISECONDS.toNanos(100)));
            now = System.nanoTime();
          }
        } else {
          due = now;
        }
        if (end != Long.MAX_VALUE && now - end >= 0) {
          return;
        }
        Target user = users.get(zipf.next(random));
        // From when it was due: a request that had to wait for a slow one before it was slow too.
        int choice = random.nextInt(100);
        if (choice < plan.writePercent()) {
          write(user, due);
        } else if (choice < plan.writePercent() + plan.orderPercent()) {
          readOrders(user, due);
        } else {
          read(user, due);
        }
        due += interval;
      }
    }

    private void read(Target user, long due) {
      HttpResponse<String> response =
          send(request("/api/v2/users/" + user.id()).GET(), 200, readMicros, due);
      if (response != null) {
        header(response, "Waymark-Tier", readsByTier);
        header(response, "Waymark-Node", readsByNode);
      }
    }

    private void readOrders(Target user, long due) {
      HttpResponse<String> response =
          send(request("/api/v2/users/" + user.id() + "/orders").GET(), 200, readMicros, due);
      if (response != null) {
        header(response, "Waymark-Node", readsByNode);
      }
    }

    private void write(Target user, long due) {
      HttpRequest.Builder request =
          request("/api/v2/users/" + user.id())
              .header("Content-Type", "application/json")
              .header("If-Match", "*")
              .PUT(
                  BodyPublishers.ofString(
                      draft("Load " + random.nextInt(1_000_000), user.email())));
      HttpResponse<String> response = send(request, 200, writeMicros, due);
      if (response != null) {
        header(response, "Waymark-Node", writesByNode);
      }
    }

    /** Null if it failed, which has then been counted. */
    private @org.jspecify.annotations.Nullable HttpResponse<String> send(
        HttpRequest.Builder request, int expected, Recorder micros, long due) {
      if (!session.isEmpty()) {
        request.header(RequestSessions.HEADER, session);
      }
      try {
        HttpResponse<String> response = http.send(request.build(), BodyHandlers.ofString());
        session = response.headers().firstValue(RequestSessions.HEADER).orElse(session);
        if (response.statusCode() == expected) {
          return response;
        }
        count(errors, what(response));
      } catch (IOException failure) {
        count(errors, "no answer: " + failure.getClass().getSimpleName());
      } catch (InterruptedException impossible) {
        // Nobody interrupts these threads.
        Thread.currentThread().interrupt();
        stop();
      } finally {
        micros.recordValue(Math.min(LONGEST_MICROS, (System.nanoTime() - due) / 1_000));
      }
      return null;
    }

    private void header(
        HttpResponse<String> response, String name, ConcurrentMap<String, LongAdder> counts) {
      response.headers().firstValue(name).ifPresent(value -> count(counts, value));
    }
  }

  private static void count(ConcurrentMap<String, LongAdder> counts, String what) {
    counts.computeIfAbsent(what, w -> new LongAdder()).increment();
  }

  // ---- how it goes ----------------------------------------------------------------------------

  private Totals report(long start, long end, Consumer<String> progress)
      throws InterruptedException {
    Totals totals = new Totals();
    long second = TimeUnit.SECONDS.toNanos(1);
    for (long next = start + second; ; next += second) {
      long until = Math.min(next, end);
      if (stop.await(Math.max(0, until - System.nanoTime()), TimeUnit.NANOSECONDS)
          || until == end) {
        return totals;
      }
      progress.accept(totals.collect() + ", at " + (next - start) / second + " s");
    }
  }

  /** What the recorders gave so far. Of one thread. */
  private final class Totals {
    private final Histogram reads = new Histogram(LONGEST_MICROS, 3);
    private final Histogram writes = new Histogram(LONGEST_MICROS, 3);

    /** Adds what came since the last time, and says it in a line. */
    String collect() {
      Histogram newReads = readMicros.getIntervalHistogram();
      Histogram newWrites = writeMicros.getIntervalHistogram();
      reads.add(newReads);
      writes.add(newWrites);
      newReads.add(newWrites);
      return String.format(
          java.util.Locale.ROOT,
          "%,7d requests/s  p50 %.2f ms  p99 %.2f ms  failed %,d",
          newReads.getTotalCount(),
          newReads.getValueAtPercentile(50) / 1e3,
          newReads.getValueAtPercentile(99) / 1e3,
          errors.values().stream().mapToLong(LongAdder::sum).sum());
    }

    LoadReport report(Duration took) {
      return new LoadReport(
          took,
          plan.clients(),
          reads,
          writes,
          sums(readsByTier),
          sums(readsByNode),
          sums(writesByNode),
          sums(errors));
    }

    private Map<String, Long> sums(ConcurrentMap<String, LongAdder> counts) {
      Map<String, Long> sums = new TreeMap<>();
      counts.forEach((what, count) -> sums.put(what, count.sum()));
      return sums;
    }
  }
}
