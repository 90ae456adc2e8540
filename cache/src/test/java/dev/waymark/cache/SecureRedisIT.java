package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.waymark.WaymarkConfig;
import dev.waymark.testkit.TestCluster;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** TLS in front of a real Redis: whom we trust, and whom we do not. */
@Timeout(180)
class SecureRedisIT {
  private static final String PASSWORD = "changeit";

  @TempDir private Path folder;
  private final Threads threads = new Threads();
  private final Rows database = new Rows();
  private final LogWatch log = new LogWatch();
  private TestCluster cluster;
  private TlsEnd end;

  @BeforeEach
  void start() throws Exception {
    cluster = TestCluster.builder().redis().start();
    keytool(
        "-genkeypair",
        "-alias",
        "redis",
        "-keyalg",
        "EC",
        "-dname",
        "CN=redis",
        "-ext",
        "SAN=ip:127.0.0.1",
        "-keystore",
        path("server.p12"),
        "-storepass",
        PASSWORD);
    keytool(
        "-exportcert",
        "-alias",
        "redis",
        "-keystore",
        path("server.p12"),
        "-storepass",
        PASSWORD,
        "-file",
        path("redis.cer"));
    keytool(
        "-importcert",
        "-noprompt",
        "-alias",
        "redis",
        "-file",
        path("redis.cer"),
        "-keystore",
        path("trust.p12"),
        "-storepass",
        PASSWORD);
    end = new TlsEnd(folder.resolve("server.p12"), cluster.redis().port());
  }

  @AfterEach
  void stop() throws Exception {
    end.close();
    log.close();
    cluster.close();
    threads.assertNoneLeft();
  }

  private String path(String name) {
    return folder.resolve(name).toString();
  }

  private static void keytool(String... arguments) throws Exception {
    List<String> command =
        new java.util.ArrayList<>(
            List.of(Path.of(System.getProperty("java.home"), "bin", "keytool").toString()));
    command.addAll(List.of(arguments));
    Process process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start();
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).isZero();
  }

  private RedisTier connect(Optional<Path> trustStore) {
    return RedisTier.connect(
        new WaymarkConfig.Redis(
            "rediss://127.0.0.1:" + end.port(),
            Optional.empty(),
            trustStore,
            Duration.ofSeconds(5),
            "waymark"));
  }

  @Test
  void certificateInTheTrustStoreIsTrustedAndAnyOtherIsNot() {
    try (RedisTier trusting = connect(Optional.of(folder.resolve("trust.p12")));
        RedisTier doubting = connect(Optional.empty())) {
      await().atMost(Duration.ofSeconds(20)).until(trusting::isAvailable);
      TieredCache<Long, String> cache =
          TieredCache.builder("users", database)
              .redis(trusting)
              .codec(Codec.json(String.class, 1))
              .horizons(database::horizon)
              .withoutL1()
              .build();
      database.rows.put(7L, "value");
      cache.get(7L);
      assertThat(cache.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.L2);

      await().atMost(Duration.ofSeconds(20)).until(() -> !log.warnings().isEmpty());
      assertThat(log.warnings()).hasSize(1);
      assertThat(log.warnings().get(0)).contains("certif");
      assertThat(doubting.isAvailable()).isFalse();
    }
  }

  /** Takes TLS off and passes the rest on. */
  private static final class TlsEnd implements AutoCloseable {
    private final ServerSocket server;
    private final int target;
    private final ExecutorService pumps = Executors.newCachedThreadPool();

    TlsEnd(Path keyStore, int target) throws Exception {
      this.target = target;
      KeyStore keys = KeyStore.getInstance("PKCS12");
      try (InputStream in = Files.newInputStream(keyStore)) {
        keys.load(in, PASSWORD.toCharArray());
      }
      KeyManagerFactory managers =
          KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
      managers.init(keys, PASSWORD.toCharArray());
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(managers.getKeyManagers(), null, null);
      server =
          context
              .getServerSocketFactory()
              .createServerSocket(0, 50, InetAddress.getByName("127.0.0.1"));
      pumps.execute(this::accept);
    }

    int port() {
      return server.getLocalPort();
    }

    private void accept() {
      while (!server.isClosed()) {
        try {
          Socket client = server.accept();
          Socket redis = new Socket("127.0.0.1", target);
          pumps.execute(() -> pump(client, redis));
          pumps.execute(() -> pump(redis, client));
        } catch (IOException closed) {
          continue;
        }
      }
    }

    private static void pump(Socket from, Socket to) {
      try (from;
          to) {
        InputStream in = from.getInputStream();
        OutputStream out = to.getOutputStream();
        in.transferTo(out);
      } catch (IOException cut) {
        return;
      }
    }

    @Override
    public void close() throws Exception {
      server.close();
      pumps.shutdown();
      assertThat(pumps.awaitTermination(10, TimeUnit.SECONDS)).isTrue();
    }
  }
}
