package dev.waymark.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BinariesTest {

  @TempDir Path cache;

  private Binaries binaries() {
    return new Binaries(cache, new Binaries.Platform("linux", "x86_64", "amd64"), line -> {});
  }

  @Test
  void directoryIsFilledOnceHoweverManyAskAtOnce() throws Exception {
    AtomicInteger fillings = new AtomicInteger();
    var threads = Executors.newFixedThreadPool(8);
    try {
      List<Callable<Path>> askers = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        askers.add(
            () ->
                binaries()
                    .once(
                        "servers-1",
                        directory -> {
                          fillings.incrementAndGet();
                          Files.writeString(directory.resolve("program"), "whole");
                        }));
      }
      for (Future<Path> path : threads.invokeAll(askers)) {
        assertThat(path.get().resolve("program")).hasContent("whole");
      }
    } finally {
      threads.shutdownNow();
    }
    assertThat(fillings).hasValue(1);
  }

  @Test
  void whatAKilledJvmLeftHalfUnpackedIsNotUsed() throws Exception {
    Files.createDirectories(cache.resolve("servers-1.unfinished/bin"));
    Files.writeString(cache.resolve("servers-1.unfinished/bin/old"), "half");

    Path directory =
        binaries().once("servers-1", fresh -> Files.writeString(fresh.resolve("new"), "whole"));

    assertThat(directory).isDirectoryContaining("glob:**/new");
    assertThat(directory.resolve("bin")).doesNotExist();
    assertThat(cache.resolve("servers-1.unfinished")).doesNotExist();
  }

  @Test
  void failedUnpackingLeavesNothingUnderTheFinalName() {
    assertThatThrownBy(
            () ->
                binaries()
                    .once(
                        "servers-1",
                        directory -> {
                          throw new IOException("No space left on device");
                        }))
        .isInstanceOf(UncheckedIOException.class)
        .hasMessage(
            "Unpacking into %s failed. Free some space there, or choose another directory by -Dwaymark.testkit.cache=…"
                .formatted(cache.resolve("servers-1")))
        .hasRootCauseMessage("No space left on device");
    assertThat(cache.resolve("servers-1")).doesNotExist();
  }

  @Test
  void platformsAreNamedAsTheDistributionsNameThem() {
    assertThat(Binaries.Platform.of("Linux", "amd64").redisResource())
        .isEqualTo("/redis-server-7.0.15-linux-amd64");
    assertThat(Binaries.Platform.of("Linux", "aarch64").postgresResources())
        .endsWith("/postgres-linux-arm_64.txz");
    assertThat(Binaries.Platform.of("Mac OS X", "aarch64").postgresResources())
        .endsWith("/postgres-darwin-arm_64.txz");
    assertThat(Binaries.Platform.of("Mac OS X", "x86_64").redisResource())
        .isEqualTo("/redis-server-7.0.15-darwin-amd64");
  }

  @Test
  void otherPlatformsAreRefusedByName() {
    assertThatThrownBy(() -> Binaries.Platform.of("Windows 11", "amd64"))
        .hasMessage(
            "The test cluster runs on Linux and macOS, amd64 and arm64; this is Windows 11 on amd64");
    assertThatThrownBy(() -> Binaries.Platform.of("Linux", "s390x"))
        .hasMessageEndingWith("this is Linux on s390x");
  }
}
