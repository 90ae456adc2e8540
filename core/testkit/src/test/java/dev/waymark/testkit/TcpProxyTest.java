package dev.waymark.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class TcpProxyTest {

  private ServerSocket server;
  private TcpProxy proxy;

  /** Every chunk the echo server received, so that a test sees what went through. */
  private final BlockingQueue<String> received = new LinkedBlockingQueue<>();

  @BeforeEach
  void open() throws IOException {
    server = new ServerSocket(0, 50, InetAddress.getByName("127.0.0.1"));
    daemon(
        () -> {
          while (true) {
            Socket socket = server.accept();
            daemon(() -> echo(socket));
          }
        });
    proxy = TcpProxy.to("127.0.0.1", server.getLocalPort());
  }

  @AfterEach
  void close() throws IOException {
    proxy.close();
    server.close();
  }

  @Test
  void bytesPassBothWaysAndSoDoesTheEnd() throws IOException {
    try (Socket client = client()) {
      byte[] much = "0123456789".repeat(200_000).getBytes(StandardCharsets.US_ASCII);
      daemon(
          () -> {
            client.getOutputStream().write(much);
            client.shutdownOutput();
          });
      ByteArrayOutputStream back = new ByteArrayOutputStream();
      client.getInputStream().transferTo(back);
      assertThat(back.toByteArray()).isEqualTo(much);
    }
  }

  @Test
  void answersAreLateByTheLatency() throws IOException {
    try (Socket client = client()) {
      exchange(client, "warm");
      proxy.latency(Duration.ofMillis(200));
      long begin = System.nanoTime();
      exchange(client, "late");
      assertThat(Duration.ofNanos(System.nanoTime() - begin))
          .isGreaterThanOrEqualTo(Duration.ofMillis(200));
    }
  }

  @Test
  void bandwidthHoldsAStreamDown() throws IOException {
    try (Socket client = client()) {
      proxy.bandwidth(100_000);
      long begin = System.nanoTime();
      exchange(client, "x".repeat(20_000));
      // Each way takes 0.2 s, one after the other only in part.
      assertThat(Duration.ofNanos(System.nanoTime() - begin))
          .isGreaterThanOrEqualTo(Duration.ofMillis(200));
    }
  }

  @Test
  void blackHoleHoldsOpenAndNewConnectionsUntilHealed() throws IOException {
    try (Socket open = client()) {
      exchange(open, "before");
      proxy.blackHole();
      try (Socket fresh = client()) {
        send(open, "held-1");
        send(fresh, "held-2");
        assertHangs(open);
        assertHangs(fresh);

        proxy.heal();

        assertThat(read(open, 6)).isEqualTo("held-1");
        assertThat(read(fresh, 6)).isEqualTo("held-2");
      }
    }
  }

  @Test
  void refusingTurnsAwayNewConnectionsOnly() throws IOException {
    try (Socket open = client()) {
      exchange(open, "before");
      proxy.refuse();
      assertThatThrownBy(this::client).isInstanceOf(ConnectException.class);
      exchange(open, "still");

      proxy.heal();

      try (Socket again = client()) {
        exchange(again, "again");
      }
    }
  }

  @Test
  void cutResetsOpenConnectionsAndLeavesTheDoorOpen() throws IOException {
    try (Socket open = client()) {
      exchange(open, "before");
      proxy.cut();
      assertThatThrownBy(() -> read(open, 1)).isInstanceOf(SocketException.class);
    }
    try (Socket again = client()) {
      exchange(again, "again");
    }
  }

  @Test
  void answersAreCutAfterSoManyBytes() throws IOException {
    try (Socket client = client()) {
      exchange(client, "before");
      proxy.cutAnswersAfter(4);
      send(client, "123456");
      // A reset may overtake bytes on their way; what arrives is never more than allowed.
      ByteArrayOutputStream got = new ByteArrayOutputStream();
      assertThatThrownBy(
              () -> {
                for (int b = client.getInputStream().read(); b >= 0; ) {
                  got.write(b);
                  b = client.getInputStream().read();
                }
              })
          .isInstanceOf(SocketException.class);
      assertThat("1234").startsWith(got.toString(StandardCharsets.US_ASCII));
    }
  }

  @Test
  void answerWithTheTextIsSwallowedAfterTheServerDidItsWork() throws Exception {
    try (Socket client = client()) {
      proxy.cutNextAnswerContaining("COMMIT");
      exchange(client, "INSERT COM");
      received.clear();

      send(client, "MIT done");

      assertThatThrownBy(() -> read(client, 1)).isInstanceOf(SocketException.class);
      assertThat(received.poll(5, TimeUnit.SECONDS)).isEqualTo("MIT done");
    }
    try (Socket again = client()) {
      exchange(again, "COMMIT");
    }
  }

  @Test
  void answersWithATextAreLostAndTheConnectionGoesOn() throws Exception {
    try (Socket client = client()) {
      exchange(client, "message 1");
      proxy.loseAnswersContaining("message");
      send(client, "message 2");
      assertThat(received.poll(5, TimeUnit.SECONDS)).isEqualTo("message 1");
      assertThat(received.poll(5, TimeUnit.SECONDS)).isEqualTo("message 2");

      exchange(client, "reply 3");
      proxy.heal();
      exchange(client, "message 4");
    }
  }

  @Test
  void deadServerBehindItResetsTheClient() throws IOException {
    server.close();
    try (Socket client = client()) {
      assertThatThrownBy(() -> read(client, 1)).isInstanceOf(IOException.class);
    }
  }

  @Test
  void closedProxyResetsAndRefuses() throws IOException {
    try (Socket client = client()) {
      exchange(client, "before");
      proxy.close();
      proxy.close();
      assertThatThrownBy(() -> read(client, 1)).isInstanceOf(IOException.class);
    }
    assertThatThrownBy(this::client).isInstanceOf(ConnectException.class);
  }

  @Test
  void negativeValuesAreRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> proxy.bandwidth(-1))
        .withMessage("A bandwidth of -1 is negative");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> proxy.latency(Duration.ofMillis(-1)))
        .withMessage("A latency of PT-0.001S is negative");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> proxy.cutNextAnswerContaining(""))
        .withMessage("Every answer contains the empty text");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> proxy.loseAnswersContaining(""))
        .withMessage("Every answer contains the empty text");
  }

  private Socket client() throws IOException {
    Socket client = new Socket("127.0.0.1", proxy.port());
    client.setSoTimeout(10_000);
    return client;
  }

  private static void exchange(Socket client, String text) throws IOException {
    send(client, text);
    assertThat(read(client, text.length())).isEqualTo(text);
  }

  private static void send(Socket client, String text) throws IOException {
    client.getOutputStream().write(text.getBytes(StandardCharsets.US_ASCII));
  }

  private static String read(Socket client, int length) throws IOException {
    byte[] bytes = new byte[length];
    new DataInputStream(client.getInputStream()).readFully(bytes);
    return new String(bytes, StandardCharsets.US_ASCII);
  }

  private static void assertHangs(Socket client) throws IOException {
    client.setSoTimeout(100);
    assertThatThrownBy(() -> read(client, 1)).isInstanceOf(SocketTimeoutException.class);
    client.setSoTimeout(10_000);
  }

  private void echo(Socket socket) throws IOException {
    byte[] buffer = new byte[8192];
    try (socket) {
      for (int n = socket.getInputStream().read(buffer); n >= 0; ) {
        received.add(new String(buffer, 0, n, StandardCharsets.US_ASCII));
        socket.getOutputStream().write(buffer, 0, n);
        n = socket.getInputStream().read(buffer);
      }
    }
  }

  private interface Task {
    void run() throws IOException;
  }

  private static void daemon(Task task) {
    Thread thread =
        new Thread(
            () -> {
              try {
                task.run();
              } catch (IOException closed) {
                // The test is over, or has cut the connection.
              }
            });
    thread.setDaemon(true);
    thread.start();
  }
}
