package dev.waymark.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.ConnectException;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class RedisServerIT {

  private static TestCluster cluster;
  private static RedisServer redis;

  @BeforeAll
  static void start() {
    cluster = TestCluster.builder().shards(0).redis().start();
    redis = cluster.redis();
  }

  @AfterAll
  static void close() {
    cluster.close();
  }

  @Test
  void answersUnderItsUrl() throws IOException {
    assertThat(redis.url()).isEqualTo("redis://127.0.0.1:" + redis.port());
    assertThat(send("PING")).isEqualTo("PONG");
  }

  @Test
  void killedOneComesBackEmptyOnItsPort() throws IOException {
    send("SET key value");
    int port = redis.port();

    redis.kill();

    assertThat(redis.isRunning()).isFalse();
    assertThatExceptionOfType(ConnectException.class).isThrownBy(() -> send("PING"));
    assertThatThrownBy(redis::flush).hasMessageContaining("did not do FLUSHALL within 10 s");

    redis.start();

    assertThat(redis.port()).isEqualTo(port);
    assertThat(send("DBSIZE")).isEqualTo("0");
  }

  @Test
  void frozenOneHangsUntilThawed() throws IOException {
    redis.freeze();
    assertThatExceptionOfType(SocketTimeoutException.class)
        .isThrownBy(
            () ->
                RedisCommand.send(
                    new Address(redis.host(), redis.port()), Duration.ofMillis(100), "PING"));

    redis.thaw();

    assertThat(send("PING")).isEqualTo("PONG");
  }

  @Test
  void flushEmptiesIt() throws IOException {
    send("SET key value");
    redis.flush();
    assertThat(send("DBSIZE")).isEqualTo("0");
  }

  @Test
  void savedOneComesBackOnceAsItWas() throws IOException {
    send("SET key old");
    redis.save();
    send("SET key new");
    redis.kill();
    redis.start();
    assertThat(send("GET key")).isEqualTo("old");

    redis.kill();
    redis.start();
    assertThat(send("DBSIZE")).isEqualTo("0");
  }

  @Test
  void onlyWhatMatchesIsEvicted() throws IOException {
    redis.flush();
    send("SET a:1 x");
    send("SET b:1 x");
    redis.evict("a:*");
    assertThat(send("DBSIZE")).isEqualTo("1");
    assertThat(send("GET b:1")).isEqualTo("x");
  }

  @Test
  void onlySubscribersLoseTheirConnection() throws IOException {
    try (Socket subscriber = new Socket(redis.host(), redis.port());
        Socket other = new Socket(redis.host(), redis.port())) {
      subscriber.setSoTimeout(10_000);
      other.setSoTimeout(10_000);
      subscriber.getOutputStream().write("SUBSCRIBE news\r\n".getBytes(StandardCharsets.US_ASCII));
      assertThat((char) subscriber.getInputStream().read()).isEqualTo('*');

      redis.killSubscribers();

      subscriber.getInputStream().readAllBytes();
      other.getOutputStream().write("PING\r\n".getBytes(StandardCharsets.US_ASCII));
      assertThat((char) other.getInputStream().read()).isEqualTo('+');
    }
  }

  private static String send(String command) throws IOException {
    return RedisCommand.send(
        new Address(redis.host(), redis.port()), Duration.ofSeconds(10), command);
  }
}
