package dev.waymark.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ServerHomeTest {

  private final @Nullable String before = System.getProperty(ServerHome.PROPERTY);

  @AfterEach
  void propertyIsAsBefore() {
    choose(before);
  }

  @Test
  void serversAreEmbeddedUnlessTheyAreAskedElsewhere() {
    choose(null);
    assertThat(ServerHome.chosen()).isEqualTo(ServerHome.EMBEDDED);
    choose(" ");
    assertThat(ServerHome.chosen()).isEqualTo(ServerHome.EMBEDDED);
    choose("embedded");
    assertThat(ServerHome.chosen()).isEqualTo(ServerHome.EMBEDDED);
    choose("docker");
    assertThat(ServerHome.chosen()).isEqualTo(ServerHome.DOCKER);
  }

  @Test
  void unknownHomeIsRefusedWithTheKnownOnes() {
    choose("podman");
    assertThatThrownBy(() -> TestCluster.builder().start())
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("-Dwaymark.testkit=podman is none of [embedded, docker]");
  }

  @Test
  void dockerWithoutTestcontainersNamesTheMissingDependency() throws Exception {
    choose("docker");
    assertThatThrownBy(() -> withoutTestcontainers().call())
        .isInstanceOf(IllegalStateException.class)
        .hasMessage(
            "-Dwaymark.testkit=docker needs Testcontainers, which is not on the class path. Add the dependency org.testcontainers:testcontainers with scope test, or leave the property out: the embedded servers need no Docker");
  }

  @Test
  void embeddedServersNeedNoTestcontainers() throws Exception {
    choose("embedded");
    assertThat(withoutTestcontainers().call()).isEqualTo("TestCluster[]");
  }

  private static void choose(@Nullable String value) {
    if (value == null) {
      System.clearProperty(ServerHome.PROPERTY);
    } else {
      System.setProperty(ServerHome.PROPERTY, value);
    }
  }

  @SuppressWarnings("unchecked")
  private static Callable<String> withoutTestcontainers() throws ReflectiveOperationException {
    return (Callable<String>)
        new WithoutTestcontainers()
            .loadClass(EmptyCluster.class.getName())
            .getDeclaredConstructor()
            .newInstance();
  }

  /** A class path with the kit and without Testcontainers. */
  private static final class WithoutTestcontainers extends ClassLoader {
    WithoutTestcontainers() {
      super(ServerHomeTest.class.getClassLoader());
    }

    @Override
    protected synchronized Class<?> loadClass(String name, boolean resolve)
        throws ClassNotFoundException {
      if (name.startsWith("org.testcontainers.") || name.startsWith("com.github.dockerjava.")) {
        throw new ClassNotFoundException(name);
      }
      if (!name.startsWith("dev.waymark.testkit.")) {
        return super.loadClass(name, resolve);
      }
      Class<?> known = findLoadedClass(name);
      return known == null ? define(name) : known;
    }

    private Class<?> define(String name) {
      String file = "/" + name.replace('.', '/') + ".class";
      try (InputStream in = ServerHomeTest.class.getResourceAsStream(file)) {
        if (in == null) {
          throw new IllegalStateException("No " + file);
        }
        byte[] bytes = in.readAllBytes();
        return defineClass(name, bytes, 0, bytes.length);
      } catch (IOException e) {
        throw new IllegalStateException(e);
      }
    }
  }

  /** Starts a cluster without servers; made by that class loader. */
  public static final class EmptyCluster implements Callable<String> {
    public EmptyCluster() {}

    @Override
    public String call() {
      try (TestCluster cluster = TestCluster.builder().shards(0).start()) {
        return cluster.toString();
      }
    }
  }
}
