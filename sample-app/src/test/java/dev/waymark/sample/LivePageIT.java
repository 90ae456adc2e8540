package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.waymark.WaymarkConfig;
import dev.waymark.testkit.ShardServers;
import dev.waymark.testkit.TestCluster;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The live page as somebody sees it who looks, clicks and waits; on real servers. */
class LivePageIT {
  private static final String TOKEN = "the token of this test";

  /** Where pictures go if they are to be kept: {@code -Dwaymark.screenshots=docs/images}. */
  private static final String SCREENSHOTS = System.getProperty("waymark.screenshots", "");

  private static TestCluster cluster;
  private static SampleService service;
  private static String url;
  private static Client client;

  private Browser browser;

  @BeforeAll
  static void start() throws Exception {
    assumeTrue(
        Browser.program().isPresent(),
        "No Chromium on the PATH, and the variable CHROMIUM names none: the page is not looked at");
    cluster = TestCluster.builder().shards(2).replicas(2).redis().start();
    service =
        SampleService.open(
            Demo.config(cluster, 1_000).withRedis(WaymarkConfig.Redis.at(cluster.redis().url())));
    SampleSchema.install(service.database());
    LivePage page =
        service.page(
            new DemoControls(cluster, service.userCache()::invalidateAll, new DemoTraffic()),
            TOKEN);
    int port = service.serve("127.0.0.1", 0, page).port();
    url = "http://127.0.0.1:" + port;
    client = new Client(port);
    for (int i = 0; i < 20; i++) {
      client.post("/api/users", draft("User " + i, "user" + i + "@example.org"));
    }
  }

  @AfterAll
  static void stop() {
    if (service != null) {
      service.close();
    }
    if (cluster != null) {
      cluster.close();
    }
  }

  @BeforeEach
  void openBrowser() throws Exception {
    browser = Browser.open(Browser.program().orElseThrow());
    browser.size(1280, 900);
  }

  @AfterEach
  void closeBrowser() {
    browser.close();
  }

  @Test
  void showsEveryNodeWithRoleAndState() {
    open("/");

    for (ShardServers shard : cluster.shards()) {
      for (var server : shard.servers()) {
        boolean primary = server == shard.primary();
        await()
            .untilAsserted(
                () ->
                    assertThat(node(server.name()))
                        .contains(primary ? "primary" : "replica", "up", "/s"));
      }
    }
    assertThat(browser.text("#shards")).contains("shard-1", "[1, 1000)", "shard-2", "[1000, 2000)");
    assertThat(browser.text("#connection")).isEqualTo("live");
    assertThat(browser.text("#map-version")).isEqualTo("shard map version 1");
    assertThat(browser.complaints()).isEmpty();
  }

  @Test
  void whoHasNoTokenSeesNoButtons() {
    open("/");
    await().until(() -> node("shard-1-a").contains("primary"));

    assertThat(browser.isVisible("#demo")).isFalse();
    assertThat(browser.isVisible(".node .buttons")).isFalse();
  }

  @Test
  void theTokenLeavesTheAddress() {
    openWithButtons();

    assertThat(browser.eval("location.href").asText()).isEqualTo(url + "/");
  }

  @Test
  void explainsTheRouteOfAKey() {
    open("/");
    browser.type("#key", "1500");
    browser.click("#route button");

    await()
        .untilAsserted(
            () ->
                assertThat(browser.text("#steps"))
                    .contains(
                        "Key 1500 lies in [1000, 2000), which shard-2 owns (shard map version 1).",
                        "L1, this process' memory, does not have it.",
                        "A write goes to " + cluster.shard("shard-2").primary().name()));

    browser.type("#key", "5000");
    browser.click("#route button");
    await()
        .untilAsserted(
            () -> assertThat(browser.text("#steps")).startsWith("No shard owns key 5000"));

    browser.type("#key", "1; DROP");
    browser.click("#route button");
    await()
        .untilAsserted(
            () ->
                assertThat(browser.text("#steps"))
                    .isEqualTo("A key is a whole number of at most 64 bits."));
  }

  @Test
  void requestsShowAtNodesTiersAndInTheChart() {
    openWithButtons();
    browser.click("#traffic");

    await().until(() -> browser.text("#traffic").equals("Stop requests"));
    await()
        .untilAsserted(
            () -> {
              assertThat(number("#l1-all")).isPositive();
              assertThat(number("#db-all")).isPositive();
              assertThat(browser.text("#chart-text")).contains("half within", "ms");
              assertThat(browser.eval("document.querySelectorAll('#chart path').length").asInt())
                  .isEqualTo(2);
              assertThat(
                      browser
                          .eval("document.querySelector('#chart .p50').getAttribute('d')")
                          .asText())
                  .contains("L");
            });
    String primary = cluster.shard("shard-1").primary().name();
    await().untilAsserted(() -> assertThat(rateOf(primary, "writes")).isPositive());
    await()
        .untilAsserted(
            () ->
                assertThat(
                        cluster.shard("shard-1").replicas().stream()
                            .mapToInt(replica -> rateOf(replica.name(), "reads"))
                            .sum())
                    .isPositive());

    browser.click("#traffic");
    await().until(() -> browser.text("#traffic").equals("Send requests"));
    assertThat(browser.complaints()).isEmpty();
  }

  @Test
  void aPausedReplicaIsSeenToFallBehindAndToCatchUp() throws Exception {
    openWithButtons();
    String replica = cluster.shard("shard-1").replicas().get(0).name();

    click(replica, "pause");
    await().untilAsserted(() -> assertThat(browser.text("#done")).contains("replays nothing more"));
    Client.Reply changed =
        client.put(
            "/api/users/" + firstUser(), draft("Changed", "changed@example.org"), "If-Match", "*");
    assertThat(changed.status()).isEqualTo(200);
    await().untilAsserted(() -> assertThat(node(replica)).contains("behind"));

    click(replica, "resume");
    await().untilAsserted(() -> assertThat(node(replica)).contains("no lag"));
    assertThat(browser.text("#events")).contains("replays nothing more", "replays again");
  }

  @Test
  void aKilledReplicaIsDownAndComesBack() {
    openWithButtons();
    String replica = cluster.shard("shard-2").replicas().get(0).name();

    click(replica, "kill");
    await().untilAsserted(() -> assertThat(node(replica)).contains("down"));
    assertThat(browser.isVisible(button(replica, "kill"))).isFalse();

    click(replica, "start");
    patiently().untilAsserted(() -> assertThat(node(replica)).contains("replica", "up"));
  }

  @Test
  void aReplicaIsPromotedAndTheOldPrimaryFollowsIt() {
    openWithButtons();
    String before = cluster.shard("shard-2").primary().name();
    String next = cluster.shard("shard-2").replicas().get(0).name();

    click(next, "promote");

    patiently()
        .untilAsserted(
            () -> {
              assertThat(node(next)).contains("primary", "up");
              assertThat(node(before)).contains("replica", "up");
            });
    await()
        .untilAsserted(
            () -> assertThat(browser.text("#done")).contains("is the primary of shard-2"));
    await()
        .untilAsserted(
            () -> assertThat(browser.text("#events")).contains("the primary is now " + next));
  }

  @Test
  void theCacheIsFlushedAndRedisDiesAndLives() throws Exception {
    openWithButtons();
    long user = firstUser();
    // A replica that is not known to have the last write does not fill the cache.
    await().until(() -> client.get("/api/users/" + user).tier().equals("L1"));
    browser.type("#key", "" + user);
    browser.click("#route button");
    await()
        .untilAsserted(
            () -> assertThat(browser.text("#steps")).contains("L1, this process' memory, has it"));

    browser.click("#flush");
    await().untilAsserted(() -> assertThat(browser.text("#done")).startsWith("The cache is empty"));
    browser.click("#route button");
    await()
        .untilAsserted(
            () ->
                assertThat(browser.text("#steps"))
                    .contains("L1, this process' memory, does not have it"));

    browser.click("#redis-kill");
    patiently()
        .untilAsserted(
            () -> assertThat(browser.text("#cache-state")).contains("Redis is not in use"));
    browser.click("#redis-start");
    patiently()
        .untilAsserted(() -> assertThat(browser.text("#cache-state")).contains("Redis is in use"));
  }

  @Test
  void isUsableOnAPhone() throws Exception {
    browser.size(360, 740);
    openWithButtons();
    await().until(() -> node("shard-1-a").contains("up"));

    // Nothing sticks out to the right, and what is to be touched is large enough for a finger.
    assertThat(browser.eval("document.documentElement.scrollWidth").asInt())
        .isLessThanOrEqualTo(360);
    assertThat(
            browser
                .eval(
                    """
                    [...document.querySelectorAll('button, input')].filter(e => e.checkVisibility())
                      .map(e => e.getBoundingClientRect()).filter(r => r.height < 24 || r.width < 24).length
                    """)
                .asInt())
        .isZero();
    keep("live-phone.png");
  }

  @Test
  void everyControlHasAName() {
    openWithButtons();
    await().until(() -> node("shard-1-a").contains("up"));

    assertThat(
            browser
                .eval(
                    """
                    [...document.querySelectorAll('button, input, a, svg[role=img]')]
                      .filter(e => e.checkVisibility())
                      .filter(e => !(e.getAttribute('aria-label') || e.innerText?.trim() || e.labels?.length
                        || document.getElementById(e.getAttribute('aria-labelledby'))?.textContent))
                      .map(e => e.outerHTML).join()
                    """)
                .asText())
        .isEmpty();
    assertThat(browser.eval("document.documentElement.lang").asText()).isEqualTo("en");
    assertThat(browser.eval("document.querySelectorAll('h1').length").asInt()).isEqualTo(1);
  }

  @Test
  void theTourLooksAsInTheDocs() throws Exception {
    openWithButtons();
    browser.click("#traffic");
    String replica = cluster.shard("shard-1").replicas().get(0).name();
    click(replica, "pause");
    browser.type("#key", "" + firstUser());
    browser.click("#route button");
    patiently()
        .untilAsserted(
            () -> {
              assertThat(node(replica)).contains("behind");
              assertThat(browser.text("#steps")).contains("A write goes to");
              assertThat(
                      browser
                          .eval(
                              "document.querySelector('#chart .p50').getAttribute('d').split('L').length")
                          .asInt())
                  .isGreaterThan(SCREENSHOTS.isEmpty() ? 3 : 30);
            });
    assertThat(browser.screenshot().length).isGreaterThan(10_000);
    keep("live.png");
    click(replica, "resume");
    browser.click("#traffic");
    assertThat(browser.complaints()).isEmpty();
  }

  // ---- the rest -------------------------------------------------------------------------------

  private void open(String path) {
    browser.go(url + path);
    await().until(() -> browser.text("#connection").equals("live"));
  }

  private void openWithButtons() {
    open("/#token=" + TOKEN.replace(" ", "%20"));
    await().until(() -> browser.isVisible("#demo") && browser.isVisible(".node .buttons"));
  }

  private String node(String name) {
    return browser.text("[data-node=" + name + "]");
  }

  private static String button(String node, String action) {
    return "[data-node=" + node + "] [data-action=" + action + "]";
  }

  private void click(String node, String action) {
    await().until(() -> browser.isVisible(button(node, action)));
    browser.click(button(node, action));
  }

  private int rateOf(String node, String what) {
    return digits(browser.text("[data-node=" + node + "] ." + what));
  }

  private int number(String selector) {
    return digits(browser.text(selector));
  }

  private static int digits(String text) {
    String digits = text.replaceAll("\\D", "");
    return digits.isEmpty() ? 0 : Integer.parseInt(digits);
  }

  /** Of shard-1, as the smallest key is. */
  private static long firstUser() {
    return client.get("/api/users?limit=1&sort=id").data().get(0).path("id").asLong();
  }

  private static String draft(String name, String email) {
    return "{\"name\": \"%s\", \"email\": \"%s\"}".formatted(name, email);
  }

  private void keep(String name) throws Exception {
    if (!SCREENSHOTS.isEmpty()) {
      Files.write(
          Files.createDirectories(Path.of(SCREENSHOTS)).resolve(name), browser.screenshot());
    }
  }

  private static org.awaitility.core.ConditionFactory patiently() {
    return await().atMost(Duration.ofSeconds(60));
  }
}
