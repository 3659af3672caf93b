#include "cli/session.h"

int main(int argc, char** argv) { return firn::cli::Main(argc, argv); }
