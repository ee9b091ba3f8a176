// A stand-in for Jenkins' steps: reads one JSON request a line, answers with one. {"literal": "…"} → the value of a Groovy
// literal, {"file": "…", "params": {…}, "files": {…}, "causes": […]} → what a Jenkinsfile does, section by section.
import groovy.json.JsonOutput
import groovy.json.JsonSlurperClassic

class Section {
    static final SECTIONS = [
        pipeline: ['agent', 'options', 'parameters', 'stages'], stages: ['stage'], stage: ['agent', 'when', 'steps', 'post'],
        agent: ['docker'], docker: ['image', 'registryUrl', 'registryCredentialsId', 'args'], options: ['disableConcurrentBuilds'],
        parameters: ['choice', 'string'], when: ['expression'], post: ['always'],
    ]
    static final STEPS = ['script', 'sh', 'withCredentials', 'archiveArtifacts', 'input', 'fileExists', 'readFile', 'timeout', 'error']
    static final BINDINGS = ['sshUserPrivateKey', 'usernamePassword', 'string']
    String name; Map world; List nodes = []

    def methodMissing(String step, arguments) {
        def known = SECTIONS[name] ?: (name == 'top' ? ['pipeline'] : STEPS + BINDINGS)
        if (!(step in known)) throw new IllegalStateException("$step in $name")
        def words = arguments as List
        def body = words && words[-1] instanceof Closure ? words.pop() : null
        def node = [step: step, words: words, inside: []]
        if (!(step in BINDINGS && !(name == 'parameters'))) nodes << node
        if (body) {
            def inner = new Section(name: step, world: world)
            body.delegate = inner
            body.resolveStrategy = Closure.DELEGATE_FIRST
            try { node.value = body() } finally { node.inside = inner.nodes }
            if (!(node.value instanceof Boolean)) node.remove('value')
        }
        if (step == 'sh' && world.fails && words[0].contains(world.fails)) throw new RuntimeException('script returned exit code 5')
        if (step == 'error') throw new RuntimeException(words[0])
        if (step == 'input') return 'approver'
        if (step == 'fileExists') return world.files.containsKey(words[0])
        if (step == 'readFile') return world.files[words[0].file]
        step in BINDINGS ? node : null
    }

    def propertyMissing(String property) {
        if (world.objects.containsKey(property)) return world.objects[property]
        if (property == 'none') return 'none'
        throw new MissingPropertyException(property)
    }
}

class Build {
    String description
    List causes
    List getBuildCauses(String kind = null) { causes.findAll { kind == null || it._class == kind } }
}

def perform(request) {
    if (request.literal != null) return [value: new GroovyShell().evaluate(request.literal)]
    def build = new Build(causes: request.causes)
    def env = [:]
    def world = [files: request.files, fails: request.fails, objects: [params: request.params, env: env, currentBuild: build]]
    def script = new GroovyShell().parse(request.file)
    def top = new Section(name: 'top', world: world)
    script.metaClass.methodMissing = { String step, arguments -> top.methodMissing(step, arguments) }
    def error = null
    try { script.run() } catch (RuntimeException thrown) { error = thrown.message }
    [nodes: top.nodes, env: env, description: build.description, error: error]
}

System.in.eachLine('UTF-8') { line ->
    def answer
    try { answer = perform(new JsonSlurperClassic().parseText(line)) } catch (Throwable thrown) { answer = [failed: thrown.toString()] }
    new PrintStream(System.out, true, 'UTF-8').println(JsonOutput.toJson(answer))
}
