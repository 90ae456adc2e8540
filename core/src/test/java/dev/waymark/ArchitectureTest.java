package dev.waymark;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.time.Clock;
import java.time.Instant;
import java.util.Random;
import java.util.concurrent.ThreadLocalRandom;
import org.junit.jupiter.api.Test;

/**
 * Core is a vocabulary: it knows the platform, YAML and nobody else, and it has no time of its own.
 */
class ArchitectureTest {
  private static final JavaClasses CORE =
      new ClassFileImporter()
          .withImportOption(new ImportOption.DoNotIncludeTests())
          .importPackages("dev.waymark");

  @Test
  void coreKnowsOnlyThePlatformJspecifyAndYaml() {
    classes()
        .should()
        .onlyDependOnClassesThat()
        .resideInAnyPackage(
            "dev.waymark", "java..", "javax.crypto..", "org.jspecify..", "org.snakeyaml.engine..")
        .check(CORE);
  }

  @Test
  void onlyTheReaderOfTheFileKnowsYaml() {
    noClasses()
        .that()
        .arePublic()
        .should()
        .dependOnClassesThat()
        .resideInAPackage("org.snakeyaml.engine..")
        .check(CORE);
  }

  @Test
  void coreHasNoClockNoRandomnessAndNeverSleeps() {
    noClasses().should().callMethod(System.class, "nanoTime").check(CORE);
    noClasses().should().callMethod(System.class, "currentTimeMillis").check(CORE);
    noClasses().should().callMethod(Instant.class, "now").check(CORE);
    noClasses().should().callMethod(Thread.class, "sleep", long.class).check(CORE);
    noClasses().should().dependOnClassesThat().areAssignableTo(Clock.class).check(CORE);
    noClasses().should().dependOnClassesThat().areAssignableTo(Random.class).check(CORE);
    noClasses().should().dependOnClassesThat().areAssignableTo(ThreadLocalRandom.class).check(CORE);
    noClasses().should().callMethod(Math.class, "random").check(CORE);
  }
}
