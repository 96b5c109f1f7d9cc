package sandboxtest

var attackCases = []testCase{}
