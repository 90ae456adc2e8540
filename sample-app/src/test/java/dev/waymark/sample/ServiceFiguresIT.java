package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.waymark.sample.Client.Reply;
import dev.waymark.testkit.PostgresServer;
import dev.waymark.testkit.TestCluster;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Requests per second of the service beside what bounds them: a route that answers a constant, and
 * a hand-written one without the library. The contenders take turns in one process. Only that every
 * request is answered is asserted; the ratios are printed, and mean something with {@code
 * -Dwaymark.figures.seconds=5} on a machine that does nothing else.
 */
class ServiceFiguresIT {
  private static final double SECONDS =
      Double.parseDouble(System.getProperty("waymark.figures.seconds", "0.5"));

  /** The compiler works beside them. */
  private static final int WARM_UP_ROUNDS = 2;

  private static final int ROUNDS = 5;
  private static final int CONNECTIONS = 8;

  @TempDir private Path directory;

  @Test
  void cachedAndUncachedReadsBesideTheirBounds() throws Exception {
    try (TestCluster cluster = TestCluster.builder().replicas(1).redis().start()) {
      PostgresServer primary = cluster.shard(0).primary();
      PostgresServer replica = cluster.shard(0).replicas().get(0);
      Path config = directory.resolve("waymark.yaml");
      Files.writeString(
          config,
          DeployFiles.text("compose/waymark.yaml").split("shards:")[0]
              + """
                shards:
                  shard-1: {nodes: [{url: "%s"}, {url: "%s"}]}
                ranges:
                  - {from: 1, to: max, shard: shard-1}
                credentials: {user: %s, password: "%s"}
                redis: {url: "%s"}
                """
                  .formatted(
                      primary.url(),
                      replica.url(),
                      primary.user(),
                      primary.password(),
                      cluster.redis().url()));
      Path output = directory.resolve("output");
      Process server = startServer(output, config, replica);
      try {
        // The log writes there too.
        String[] ports =
            await()
                .atMost(Duration.ofSeconds(120))
                .until(() -> portsIn(output), Optional::isPresent)
                .orElseThrow()
                .split(" ");
        int service = Integer.parseInt(ports[1]);
        int plain = Integer.parseInt(ports[2]);
        Client client = new Client(service);
        Reply user =
            client.post("/api/users", "{\"name\": \"Ada\", \"email\": \"ada@example.org\"}");
        assertThat(user.status()).isEqualTo(201);
        long id = user.data().path("id").asLong();
        Reply order =
            client.post(
                "/api/users/" + id + "/orders",
                "{\"items\": [{\"sku\": \"A-1\", \"quantity\": 2, \"unit_price\": 9.99}]}");
        assertThat(order.status()).isEqualTo(201);
        long orderId = order.data().path("id").asLong();
        String orderPath = "/api/v1/users/" + id + "/orders/" + orderId;
        await().until(() -> client.get("/api/v1/users/" + id).tier(), "L1"::equals);
        await().until(() -> client.get(orderPath).header("Waymark-Role"), "replica"::equals);

        Map<String, Contender> contenders = new LinkedHashMap<>();
        contenders.put("constant", new Contender(service, "/api/v1/constant/" + id));
        contenders.put("constant again", new Contender(service, "/api/v1/constant/" + id));
        contenders.put("cached user", new Contender(service, "/api/v1/users/" + id));
        contenders.put("Javalin + HikariCP", new Contender(plain, "/orders/" + id + "/" + orderId));
        contenders.put(
            "the same, filtered", new Contender(service, "/api/v1/plain/" + id + "/" + orderId));
        contenders.put("order, uncached", new Contender(service, orderPath));
        ProcessHandle process = server.toHandle();
        for (int round = 0; round < WARM_UP_ROUNDS + ROUNDS; round++) {
          for (Contender contender : contenders.values()) {
            if (round == WARM_UP_ROUNDS) {
              contender.forget();
            }
            contender.run(process, SECONDS);
          }
        }

        contenders.forEach((name, contender) -> System.out.println(contender.line(name)));
        System.out.println(
            ratio("constant again / constant (the noise)", contenders, "constant again", "constant")
                + ratio("cached user / constant", contenders, "cached user", "constant")
                + ratio(
                    "order, uncached / Javalin + HikariCP",
                    contenders,
                    "order, uncached",
                    "Javalin + HikariCP")
                + ratio(
                    "order, uncached / the same, filtered",
                    contenders,
                    "order, uncached",
                    "the same, filtered"));
        assertThat(contenders.values()).allMatch(contender -> contender.median() > 0);
      } finally {
        server.destroyForcibly().waitFor();
      }
    }
  }

  /**
   * A JVM with its ordinary compilers. Not a {@code ForkedJvm}: that one does without the
   * optimising compiler, to start quickly, and code of many small methods suffers most from that.
   * It ends by itself when its standard input does, with this process at the latest.
   */
  private static Process startServer(Path output, Path config, PostgresServer replica)
      throws IOException {
    return new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-Xmx512m",
            "-cp",
            System.getProperty("java.class.path"),
            FiguresServer.class.getName(),
            config.toString(),
            replica.url(),
            replica.user(),
            replica.password())
        .redirectErrorStream(true)
        .redirectOutput(output.toFile())
        .start();
  }

  /** The whole line; a last one without an end may still be on its way. */
  private static Optional<String> portsIn(Path output) throws IOException {
    String text = Files.readString(output);
    return text.substring(0, text.lastIndexOf('\n') + 1)
        .lines()
        .filter(line -> line.startsWith("ports "))
        .findFirst();
  }

  private static String ratio(
      String what, Map<String, Contender> contenders, String over, String under) {
    return String.format(
        Locale.ROOT,
        "%-40s %.2f of the requests/s, %.2f of the requests per CPU second%n",
        what,
        contenders.get(over).median() / contenders.get(under).median(),
        contenders.get(under).cpuMicros() / contenders.get(over).cpuMicros());
  }

  /** One route, and what came of it round by round. */
  private static final class Contender {
    private final int port;
    private final byte[] request;
    private final List<Double> perSecond = new ArrayList<>();
    private final List<Double> cpuMicros = new ArrayList<>();

    Contender(int port, String path) {
      this.port = port;
      this.request =
          ("GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
              .getBytes(StandardCharsets.US_ASCII);
    }

    void forget() {
      perSecond.clear();
      cpuMicros.clear();
    }

    /** As many requests as go, one after the other on each connection. */
    void run(ProcessHandle server, double seconds) throws InterruptedException {
      AtomicLong answers = new AtomicLong();
      AtomicReference<Throwable> failure = new AtomicReference<>();
      long cpuBefore = cpuNanos(server);
      long start = System.nanoTime();
      long end = start + (long) (seconds * 1e9);
      List<Thread> threads = new ArrayList<>();
      for (int i = 0; i < CONNECTIONS; i++) {
        Thread thread =
            new Thread(
                () -> {
                  try {
                    answers.addAndGet(ask(end));
                  } catch (IOException | RuntimeException | Error wrong) {
                    failure.compareAndSet(null, wrong);
                  }
                });
        threads.add(thread);
        thread.start();
      }
      for (Thread thread : threads) {
        thread.join();
      }
      assertThat(failure.get()).isNull();
      double took = (System.nanoTime() - start) / 1e9;
      perSecond.add(answers.get() / took);
      cpuMicros.add((cpuNanos(server) - cpuBefore) / 1e3 / answers.get());
    }

    /** Not an HTTP library: it would take more time than what is measured. */
    private long ask(long end) throws IOException {
      try (Socket socket = new Socket("127.0.0.1", port)) {
        socket.setTcpNoDelay(true);
        socket.setSoTimeout(30_000);
        OutputStream out = socket.getOutputStream();
        InputStream in = new BufferedInputStream(socket.getInputStream(), 16_384);
        long answers = 0;
        while (System.nanoTime() - end < 0) {
          out.write(request);
          out.flush();
          int length = -1;
          String line = line(in);
          if (!line.equals("HTTP/1.1 200 OK")) {
            throw new IOException("The answer was " + line);
          }
          for (line = line(in); !line.isEmpty(); line = line(in)) {
            if (line.regionMatches(true, 0, "Content-Length:", 0, 15)) {
              length = Integer.parseInt(line.substring(15).trim());
            }
          }
          if (length < 2 || in.readNBytes(length).length != length) {
            throw new IOException("The answer has no body");
          }
          answers++;
        }
        return answers;
      }
    }

    private static String line(InputStream in) throws IOException {
      StringBuilder line = new StringBuilder(64);
      for (int each = in.read(); each != '\n'; each = in.read()) {
        if (each < 0) {
          throw new IOException("The connection was closed");
        }
        if (each != '\r') {
          line.append((char) each);
        }
      }
      return line.toString();
    }

    private static long cpuNanos(ProcessHandle process) {
      return process.info().totalCpuDuration().orElse(Duration.ZERO).toNanos();
    }

    double median() {
      return median(perSecond);
    }

    double cpuMicros() {
      return median(cpuMicros);
    }

    private static double median(List<Double> values) {
      return values.stream().sorted().skip(values.size() / 2).findFirst().orElseThrow();
    }

    String line(String name) {
      return String.format(
          Locale.ROOT,
          "%-20s %,9.0f requests/s  %7.1f µs of CPU each",
          name,
          median(),
          cpuMicros());
    }
  }
}
