package dev.waymark.routing;

import static com.tngtech.archunit.base.DescribedPredicate.describe;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.methods;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaMethod;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.lang.ArchCondition;
import com.tngtech.archunit.lang.ConditionEvents;
import com.tngtech.archunit.lang.SimpleConditionEvent;
import org.junit.jupiter.api.Test;

class ArchitectureTest {
  private static final JavaClasses ROUTING =
      new ClassFileImporter()
          .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
          .importPackages("dev.waymark.routing");

  private static final DescribedPredicate<JavaClass> DECIDES =
      describe(
          "decides",
          type ->
              type.getFullName()
                  .matches(
                      ".*\\.(Router|ShardView|NodeView|FreshnessLog|LookPace|NodeLoad|.*Balancer|RecentWrites"
                          + "|Sql(Scanner|Reader|Grammar|Tree|Walk|Tokens)|Effects|Confinement|CrossShard|EngineShapes|Planner|Plan|SqlCatalogue|BuiltIns)(\\$.*)?"));

  @Test
  void routingDoesNotKnowTheCache() {
    noClasses()
        .should()
        .dependOnClassesThat()
        .resideInAPackage("dev.waymark.cache..")
        .check(ROUTING);
  }

  @Test
  void onlyItsBindingsKnowMicrometer() {
    noClasses()
        .that()
        .doNotHaveSimpleName("RoutingMetrics")
        .and()
        .doNotHaveSimpleName("SessionAccessor")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("io.micrometer..")
        .check(ROUTING);
  }

  @Test
  void onlyTheReaderKnowsTheGrammar() {
    noClasses()
        .that()
        .haveNameNotMatching(".*\\.Sql(Grammar|Reader)(\\$.*)?")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("org.antlr..", "org.pgcodekeeper..")
        .check(ROUTING);
  }

  @Test
  void decisionsTouchNothing() {
    noClasses()
        .that(DECIDES)
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("java.sql..", "javax.sql..", "com.zaxxer..", "org.postgresql..")
        .orShould()
        .callMethod(System.class, "nanoTime")
        .orShould()
        .callMethod(System.class, "currentTimeMillis")
        .check(ROUTING);
  }

  @Test
  void noPublicSignatureShowsAPoolsOrADriversType() {
    methods()
        .that()
        .arePublic()
        .and()
        .areDeclaredInClassesThat()
        .arePublic()
        .should(showOnlyTypesThatUsersKnow())
        .check(ROUTING);
  }

  private static ArchCondition<JavaMethod> showOnlyTypesThatUsersKnow() {
    return new ArchCondition<>("show only types that users know") {
      @Override
      public void check(JavaMethod method, ConditionEvents events) {
        method.getAllInvolvedRawTypes().stream()
            .filter(type -> type.getModifiers().contains(JavaModifier.PUBLIC))
            .filter(
                type ->
                    type.getPackageName()
                        .matches(
                            "(com\\.zaxxer|org\\.postgresql|org\\.antlr|org\\.pgcodekeeper).*"))
            .forEach(
                type ->
                    events.add(
                        SimpleConditionEvent.violated(
                            method, method.getFullName() + " shows " + type.getName())));
      }
    };
  }
}
