package dev.waymark.sample;

import static dev.waymark.sample.DeployFiles.DEPLOY;
import static dev.waymark.sample.DeployFiles.at;
import static dev.waymark.sample.DeployFiles.text;
import static dev.waymark.sample.DeployFiles.yaml;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.gson.JsonElement;
import com.google.gson.JsonParser;
import dev.waymark.Node;
import dev.waymark.Shard;
import dev.waymark.WaymarkConfig;
import dev.waymark.sample.Arguments.Run;
import io.kubernetes.client.openapi.models.V1ConfigMap;
import io.kubernetes.client.openapi.models.V1Deployment;
import io.kubernetes.client.openapi.models.V1Namespace;
import io.kubernetes.client.openapi.models.V1NetworkPolicy;
import io.kubernetes.client.openapi.models.V1PodDisruptionBudget;
import io.kubernetes.client.openapi.models.V1Secret;
import io.kubernetes.client.openapi.models.V1Service;
import io.kubernetes.client.openapi.models.V1ServiceAccount;
import io.kubernetes.client.openapi.models.V2HorizontalPodAutoscaler;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** That the files which deploy the service fit its code and each other, as far as a build sees. */
class DeployTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Path WORKFLOW = Path.of("..", ".github", "workflows", "delivery.yml");

  /** The cluster's own schema, kind by kind, as its client's models carry it. */
  private interface Schema {
    void check(JsonElement manifest) throws Exception;
  }

  private static final Map<String, Schema> KINDS =
      Map.of(
          "v1/Namespace", V1Namespace::validateJsonElement,
          "v1/ServiceAccount", V1ServiceAccount::validateJsonElement,
          "v1/Secret", V1Secret::validateJsonElement,
          "v1/ConfigMap", V1ConfigMap::validateJsonElement,
          "v1/Service", V1Service::validateJsonElement,
          "apps/v1/Deployment", V1Deployment::validateJsonElement,
          "autoscaling/v2/HorizontalPodAutoscaler", V2HorizontalPodAutoscaler::validateJsonElement,
          "policy/v1/PodDisruptionBudget", V1PodDisruptionBudget::validateJsonElement,
          "networking.k8s.io/v1/NetworkPolicy", V1NetworkPolicy::validateJsonElement);

  // ---- Kubernetes -----------------------------------------------------------------------------

  @Test
  void everyManifestFitsTheSchemaOfItsKind() throws Exception {
    Set<String> kinds = new TreeSet<>();
    for (Path file : DeployFiles.manifests()) {
      for (Map<String, Object> manifest : yaml(file)) {
        String kind = manifest.get("apiVersion") + "/" + manifest.get("kind");
        assertThat(KINDS).as(file.toString()).containsKey(kind);
        KINDS.get(kind).check(JsonParser.parseString(JSON.writeValueAsString(manifest)));
        kinds.add(kind);
      }
    }

    assertThat(kinds).isEqualTo(new TreeSet<>(KINDS.keySet()));
  }

  @Test
  void theSchemaFindsAFieldThatDoesNotExist() {
    assertThatThrownBy(
            () ->
                KINDS
                    .get("apps/v1/Deployment")
                    .check(
                        JsonParser.parseString(
                            JSON.writeValueAsString(manifest("deployment.yaml"))
                                .replace("readinessProbe", "readynessProbe"))))
        .hasMessageContaining("readynessProbe");
  }

  @Test
  void kustomizeTakesEveryManifestButTheSecret() {
    Map<String, Object> kustomization =
        yaml(DEPLOY.resolve("kubernetes/kustomization.yaml")).get(0);
    List<String> files =
        new ArrayList<>(
            DeployFiles.manifests().stream().map(file -> file.getFileName().toString()).toList());
    files.remove("secret.example.yaml");

    assertThat(list(kustomization, "resources")).containsExactlyInAnyOrderElementsOf(files);
    assertThat(at(kustomization, "images.0.name"))
        .isEqualTo(at(manifest("deployment.yaml"), "spec.template.spec.containers.0.image"));
  }

  @Test
  void theConfigMapHoldsAShardMapThatTheServiceTakes() {
    String yaml = (String) ((Map<?, ?>) at(manifest("configmap.yaml"), "data")).get("waymark.yaml");
    WaymarkConfig config = parse(yaml, secretNames());

    SampleSchema.check(config.map());
    assertThat(config.map().shards()).hasSize(3).allMatch(shard -> shard.nodes().size() == 3);
    assertThat(config.redis()).isPresent();
    assertThat(config.tokens().toString()).doesNotContain("secret");
  }

  @Test
  void everySecretThatTheConfigurationNeedsIsInTheSecretAndHasNoValue() {
    Map<?, ?> secret =
        (Map<?, ?>) at(yaml(DEPLOY.resolve("kubernetes/secret.example.yaml")).get(0), "stringData");

    Set<String> needed = placeholders(text("kubernetes/configmap.yaml"));
    assertThat(secretNames()).containsAll(needed);
    assertThat(secret.values()).allMatch(""::equals);
  }

  @Test
  void theDeploymentStartsTheServiceTheWayItsArgumentsAreRead() {
    Object deployment = manifest("deployment.yaml");
    Arguments arguments =
        Arguments.parse(strings(at(deployment, "spec.template.spec.containers.0.args")));

    assertThat(arguments.host()).isEqualTo("0.0.0.0");
    assertThat(arguments.port())
        .isEqualTo(at(deployment, "spec.template.spec.containers.0.ports.0.containerPort"));
    assertThat(arguments.livePage()).isFalse();
    assertThat(((Run.Serve) arguments.run()).config())
        .isEqualTo(
            Path.of(
                at(deployment, "spec.template.spec.containers.0.volumeMounts.0.mountPath")
                    + "/waymark.yaml"));
  }

  @Test
  void threePodsAndNeverFewerThanTwoByAnybodysWill() {
    assertThat(at(manifest("deployment.yaml"), "spec.replicas")).isEqualTo(3);
    assertThat(at(manifest("deployment.yaml"), "spec.strategy.rollingUpdate.maxUnavailable"))
        .isEqualTo(0);
    assertThat(at(manifest("pdb.yaml"), "spec.minAvailable")).isEqualTo(2);
    assertThat(at(manifest("hpa.yaml"), "spec.minReplicas")).isEqualTo(3);
  }

  @Test
  void whatSelectsPodsSelectsThese() {
    Object labels = at(manifest("deployment.yaml"), "spec.template.metadata.labels");

    assertThat(at(manifest("deployment.yaml"), "spec.selector.matchLabels")).isEqualTo(labels);
    assertThat(at(manifest("service.yaml"), "spec.selector")).isEqualTo(labels);
    assertThat(at(manifest("pdb.yaml"), "spec.selector.matchLabels")).isEqualTo(labels);
    assertThat(at(manifest("networkpolicy.yaml"), "spec.podSelector.matchLabels"))
        .isEqualTo(labels);
    assertThat(at(manifest("hpa.yaml"), "spec.scaleTargetRef.name"))
        .isEqualTo(at(manifest("deployment.yaml"), "metadata.name"));
    assertThat(at(manifest("service.yaml"), "spec.ports.0.targetPort"))
        .isEqualTo(at(manifest("deployment.yaml"), "spec.template.spec.containers.0.ports.0.name"));
    assertThat(at(manifest("networkpolicy.yaml"), "spec.ingress.0.ports.0.port"))
        .isEqualTo(
            at(
                manifest("deployment.yaml"),
                "spec.template.spec.containers.0.ports.0.containerPort"));
  }

  @Test
  void aPodMayDoNothingThatItNeedNot() {
    Object pod = at(manifest("deployment.yaml"), "spec.template.spec");
    Object container = at(pod, "containers.0.securityContext");

    assertThat(at(pod, "securityContext.runAsNonRoot")).isEqualTo(true);
    assertThat(at(pod, "securityContext.runAsUser")).isEqualTo(10001);
    assertThat(at(pod, "automountServiceAccountToken")).isEqualTo(false);
    assertThat(at(container, "readOnlyRootFilesystem")).isEqualTo(true);
    assertThat(at(container, "allowPrivilegeEscalation")).isEqualTo(false);
    assertThat(list(at(container, "capabilities"), "drop")).isEqualTo(List.of("ALL"));
    assertThat(at(manifest("networkpolicy.yaml"), "spec.policyTypes"))
        .isEqualTo(List.of("Ingress", "Egress"));
  }

  @Test
  void theGracePeriodIsLongerThanTheDrainAndTheStop() {
    Object deployment = manifest("deployment.yaml");
    int grace = (Integer) at(deployment, "spec.template.spec.terminationGracePeriodSeconds");
    int drain =
        Integer.parseInt((String) at(deployment, "spec.template.spec.containers.0.env.0.value"));

    // Main gives up 20 s after the drain.
    assertThat(grace).isGreaterThan(drain + 20);
  }

  // ---- Compose --------------------------------------------------------------------------------

  @Test
  void composeRunsEveryNodeOfItsShardMap() {
    WaymarkConfig config =
        parse(
            text("compose/waymark.yaml"),
            Set.of("APP_DB_PASSWORD", "WAYMARK_SESSION_SECRET", "REDIS_PASSWORD"));
    SampleSchema.check(config.map());
    Map<?, ?> services = (Map<?, ?>) at(compose(), "services");

    Set<String> hosts = new HashSet<>();
    for (Shard shard : config.map().shards()) {
      assertThat(shard.nodes()).hasSize(3);
      shard.nodes().stream()
          .map(Node::url)
          .map(url -> url.replaceAll(".*//([^:]+):.*", "$1"))
          .forEach(hosts::add);
    }
    Set<Object> expected = new HashSet<>(hosts);
    expected.add("redis");
    expected.add("sample");
    assertThat(services.keySet()).isEqualTo(expected);
    for (String host : hosts) {
      assertThat(at(services, host + ".volumes.0")).isEqualTo(host + ":/var/lib/postgresql");
      assertThat(((Map<?, ?>) services.get(host)).containsKey("ports")).isFalse();
      if (!host.endsWith("-a")) {
        assertThat(at(services, host + ".environment.PRIMARY"))
            .isEqualTo(host.substring(0, host.length() - 1) + "a");
      }
    }
    assertThat(((Map<?, ?>) at(compose(), "volumes")).keySet()).isEqualTo(hosts);
  }

  @Test
  void composeIsOpenToThisMachineOnlyAndHoldsNoSecret() {
    assertThat(at(compose(), "services.sample.ports")).isEqualTo(List.of("127.0.0.1:7070:7070"));
    assertThat(at(compose(), "networks.database.internal")).isEqualTo(true);
    for (String name :
        new String[] {"APP_DB_PASSWORD", "REDIS_PASSWORD", "WAYMARK_SESSION_SECRET"}) {
      assertThat((String) at(compose(), "services.sample.environment." + name))
          .isEqualTo("${" + name + ":?see .env.example}");
      assertThat(text("compose/.env.example")).contains("\n" + name + "=\n");
    }
    assertThat(Arguments.parse(strings(at(compose(), "services.sample.command"))).livePage())
        .isTrue();
  }

  @Test
  void theScriptsAreShellAndMayBeRun() throws Exception {
    for (String script : new String[] {"primary.sh", "replica.sh"}) {
      Path file = DEPLOY.resolve("compose").resolve(script);
      assertThat(Files.isExecutable(file)).isTrue();
      Process check = new ProcessBuilder("sh", "-n", file.toString()).inheritIO().start();
      assertThat(check.waitFor()).isZero();
    }
  }

  // ---- the image ------------------------------------------------------------------------------

  @Test
  void theImageIsBuiltInStagesAndRunsAsNobody() throws Exception {
    List<String> lines = text("Dockerfile").lines().filter(line -> !line.startsWith("#")).toList();
    String last = String.join("\n", lines.subList(lastIndex(lines, "FROM "), lines.size()));

    assertThat(lines.stream().filter(line -> line.startsWith("FROM "))).hasSize(2);
    assertThat(lines.stream().filter(line -> line.startsWith("FROM ")))
        .allMatch(line -> line.matches("FROM [a-z]+:[0-9][\\w.-]*( AS build)?"));
    assertThat(last).contains("USER 10001:10001").doesNotContain("USER root");
    Matcher entry = Pattern.compile("ENTRYPOINT (\\[.*])").matcher(last);
    assertThat(entry.find()).isTrue();
    JsonNode words = JSON.readTree(entry.group(1));
    assertThat(words.get(words.size() - 1).asText()).isEqualTo(Main.class.getName());
    Matcher command = Pattern.compile("CMD (\\[\"--.*])").matcher(last);
    assertThat(command.find()).isTrue();
    assertThat(Arguments.parse(JSON.readValue(command.group(1), String[].class)).host())
        .isEqualTo("0.0.0.0");
  }

  // ---- Grafana --------------------------------------------------------------------------------

  @Test
  void theDashboardsPanelsHaveTheirPlaces() throws Exception {
    JsonNode dashboard = JSON.readTree(text("grafana/waymark-sample.json"));
    Set<String> cells = new HashSet<>();
    Set<Integer> ids = new HashSet<>();
    for (JsonNode panel : dashboard.path("panels")) {
      JsonNode at = panel.path("gridPos");
      assertThat(ids.add(panel.path("id").asInt())).isTrue();
      assertThat(at.path("x").asInt() + at.path("w").asInt()).isLessThanOrEqualTo(24);
      for (int x = 0; x < at.path("w").asInt(); x++) {
        for (int y = 0; y < at.path("h").asInt(); y++) {
          assertThat(cells.add(at.path("x").asInt() + x + "," + (at.path("y").asInt() + y)))
              .as(panel.path("title").asText())
              .isTrue();
        }
      }
      assertThat(panel.path("targets")).isNotEmpty();
    }
    assertThat(ids).hasSizeGreaterThan(15);
  }

  // ---- the workflow ---------------------------------------------------------------------------

  @Test
  void theWorkflowGoesFromTestToProductionStepByStep() {
    Map<?, ?> jobs = (Map<?, ?>) at(yaml(WORKFLOW).get(0), "jobs");
    Map<String, List<String>> needs = new TreeMap<>();
    jobs.forEach(
        (name, job) -> {
          Object of = ((Map<?, ?>) job).get("needs");
          needs.put(
              (String) name,
              of == null
                  ? List.of()
                  : of instanceof List<?> ? list(job, "needs") : List.of((String) of));
        });

    assertThat(needs)
        .isEqualTo(
            new TreeMap<>(
                Map.of(
                    "test", List.of(),
                    "image", List.of("test"),
                    "staging", List.of("image"),
                    "end-to-end", List.of("staging"),
                    "production", List.of("image", "end-to-end"))));
    assertThat(at(jobs, "production.environment.name")).isEqualTo("production");
    assertThat(at(yaml(WORKFLOW).get(0), "permissions.contents")).isEqualTo("read");
  }

  @Test
  void theWorkflowPutsNothingFromOutsideIntoACommand() {
    Map<?, ?> jobs = (Map<?, ?>) at(yaml(WORKFLOW).get(0), "jobs");
    jobs.forEach(
        (name, job) ->
            ((List<?>) ((Map<?, ?>) job).get("steps"))
                .forEach(
                    step -> {
                      Object run = ((Map<?, ?>) step).get("run");
                      assertThat(run == null ? "" : (String) run)
                          .as("job " + name)
                          .doesNotContain("${{");
                    }));
  }

  @Test
  void theWorkflowsLoadIsOneThatTheCommandTakes() throws Exception {
    Matcher load = Pattern.compile("-Dload=\"([^\"]*)\"").matcher(Files.readString(WORKFLOW));
    assertThat(load.find()).isTrue();

    assertThat(
            LoadPlan.parse(
                load.group(1).replace("$STAGING_URL", "https://staging.example.org").split(" ")))
        .isPresent();
  }

  // ---- the rest -------------------------------------------------------------------------------

  private static Map<String, Object> manifest(String file) {
    return yaml(DEPLOY.resolve("kubernetes").resolve(file)).get(0);
  }

  private static Map<String, Object> compose() {
    return yaml(DEPLOY.resolve("compose/compose.yaml")).get(0);
  }

  private static Set<String> secretNames() {
    Set<String> names = new TreeSet<>();
    ((Map<?, ?>) at(manifest("secret.example.yaml"), "stringData"))
        .keySet()
        .forEach(name -> names.add((String) name));
    return names;
  }

  private static Set<String> placeholders(String yaml) {
    Set<String> names = new TreeSet<>();
    Matcher placeholder = Pattern.compile("\\$\\{([A-Z_]+)[:}]").matcher(yaml);
    while (placeholder.find()) {
      names.add(placeholder.group(1));
    }
    return names;
  }

  private static WaymarkConfig parse(String yaml, Set<String> environment) {
    return WaymarkConfig.parse(
        yaml, "waymark.yaml", name -> environment.contains(name) ? "a secret for the tests" : null);
  }

  private static int lastIndex(List<String> lines, String start) {
    int last = -1;
    for (int i = 0; i < lines.size(); i++) {
      last = lines.get(i).startsWith(start) ? i : last;
    }
    return last;
  }

  private static String[] strings(Object list) {
    return ((List<?>) list).stream().map(String::valueOf).toArray(String[]::new);
  }

  private static List<String> list(Object tree, String path) {
    return Arrays.asList(strings(at(tree, path)));
  }
}
